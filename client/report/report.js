// Starts the parts for which the page has data.
byId('title').textContent = report.title;
byId('subtitle').textContent = report.subtitle;
byId('notes').replaceChildren(...report.notes.map((note) => element('li', '', note)));
byId('notes').hidden = report.notes.length === 0;

// Paper is light, and shows whole maps; these run before and after the listeners of the parts.
window.addEventListener('beforeprint', () => { theme.isPrinting = true; applyTheme(); });
window.addEventListener('afterprint', () => { theme.isPrinting = false; applyTheme(); });

startTheme();
startSentences();
startRibbons();
startHeatMap();
