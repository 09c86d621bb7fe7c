// Starts the parts for which the page has data.
byId('title').textContent = report.title;
byId('subtitle').textContent = report.subtitle;
byId('notes').replaceChildren(...report.notes.map((note) => element('li', '', note)));
byId('notes').hidden = report.notes.length === 0;

// Paper is light, and shows whole maps; these run before and after the listeners of the parts.
function setPrinting(isPrinting) {
  theme.isPrinting = isPrinting;
  document.documentElement.classList.toggle('is-printing', isPrinting);
  applyTheme();
}
window.addEventListener('beforeprint', () => setPrinting(true));
window.addEventListener('afterprint', () => setPrinting(false));

startTheme();
startSentences();
startRibbons();
startHeatMap();
