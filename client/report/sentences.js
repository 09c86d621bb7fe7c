// A text with its layout, its selected sentences marked, and what each sentence leans on.
function startSentences() {
  const summary = report.summary;
  if (!summary) return;
  byId('sentences').hidden = false;
  const linkList = byId('sentence-links');
  const sources = makeSide(summary, 'source');
  const written = summary.written ? makeSide(summary.written, 'written') : null;
  const attending = written || sources;
  let chosen = null;

  // A text as elements: sentences and, as plain text, what is between them.
  function makeSide(data, name) {
    const side = {data, name, elements: []};
    const scores = data.sentences.map((one) => one.score).filter((score) => score !== null);
    const low = Math.min(...scores), high = Math.max(...scores);
    data.sentences.forEach((sentence, i) => {
      const made = element(sentence.selected ? 'mark' : 'span', 'sentence', sentence.text);
      made.tabIndex = 0;
      made.setAttribute('role', 'button');
      const share = sentence.score === null ? 0 : high > low ? (sentence.score - low) / (high - low) : 1;
      const strength = sentence.selected ? 0.25 + 0.25 * share : 0.12 * share;
      made.style.backgroundColor = 'rgba(var(--mark), ' + strength.toFixed(3) + ')';
      const parts = [];
      if (sentence.selected) parts.push('selected');
      if (sentence.rank !== null) parts.push('rank ' + sentence.rank);
      if (parts.length > 0) made.setAttribute('aria-description', parts.join(', '));
      made.addEventListener('click', () => choose(side, i));
      made.addEventListener('focus', () => choose(side, i));
      made.addEventListener('keydown', (event) => onKey(event, side, i));
      side.elements.push(made);
    });
    const host = byId(name === 'written' ? 'written-text' : 'sentence-text');
    data.gaps.forEach((gap, i) => {
      if (gap) host.append(document.createTextNode(gap));
      if (side.elements[i]) host.append(side.elements[i]);
    });
    return side;
  }

  function onKey(event, side, index) {
    const step = {ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1}[event.key];
    if (event.key === 'Escape') clear();
    else if (step) side.elements[clamp(index + step, 0, side.elements.length - 1)].focus();
    else if (event.key === 'Enter' || event.key === ' ') choose(side, index);
    else return;
    event.preventDefault();
  }

  function clear() {
    for (const side of [sources, written]) {
      if (side) for (const one of side.elements) one.classList.remove('is-chosen', 'is-linked');
    }
    chosen = null;
    linkList.replaceChildren();
  }

  // Links of a sentence that attends, strongest first; for a sentence of the text of an abstractive summary, the written
  // ones that lean on it.
  function linksFrom(side, index) {
    const forward = side === attending;
    return summary.links.filter(([from, to]) => (forward ? from : to) === index)
      .map(([from, to, weight]) => ({index: forward ? to : from, weight}))
      .filter((link) => !(side === attending && !written && link.index === index))
      .sort((a, b) => b.weight - a.weight).slice(0, 8);
  }

  function choose(side, index) {
    if (chosen && chosen[0] === side && chosen[1] === index) return;
    clear();
    chosen = [side, index];
    side.elements[index].classList.add('is-chosen');
    const links = linksFrom(side, index);
    const other = written ? (side === written ? sources : written) : sources;
    links.slice(0, 3).forEach((link) => other.elements[link.index].classList.add('is-linked'));
    if (summary.links.length === 0) return;
    const title = side === attending ? 'Leans on' : 'Is leaned on by';
    linkList.replaceChildren(element('h3', '', title));
    if (links.length === 0) linkList.append(element('p', 'quiet', 'No link.'));
    for (const link of links) linkList.append(makeRow(other, link.index, String(link.index + 1), percent(link.weight)));
  }

  function makeRow(side, index, number, value) {
    const row = element('button', 'rank' + (side.data.sentences[index].selected ? ' is-selected' : ''));
    row.type = 'button';
    const text = element('span', 'rank-text', side.data.sentences[index].text.replace(/\s+/g, ' '));
    text.dir = 'auto';
    row.append(element('span', 'rank-number', number), text, element('span', 'rank-score', value));
    row.addEventListener('click', () => {
      side.elements[index].scrollIntoView({block: 'center'});
      side.elements[index].focus({preventScroll: true});
    });
    return row;
  }

  byId('written-part').hidden = !written;
  const ranked = summary.sentences.map((sentence, index) => ({sentence, index})).filter(({sentence}) => sentence.rank !== null)
    .sort((a, b) => a.sentence.rank - b.sentence.rank);
  byId('sentence-ranks').replaceChildren(...ranked.map(({sentence, index}) => {
    const item = element('li');
    item.append(makeRow(sources, index, sentence.rank + '.', sentence.score === null ? '' : sentence.score.toFixed(3)));
    return item;
  }));
  byId('sentence-ranks').hidden = ranked.length === 0;
}
