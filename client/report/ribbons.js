// Two texts, words of the one over words of the other, joined by ribbons. Long texts are cut into stanzas that fit the
// width; a cut is made where the fewest links cross it.
function startRibbons() {
  const alignment = report.alignment;
  if (!alignment) return;
  byId('ribbons').hidden = false;
  const sides = [alignment.source, alignment.target];
  const host = byId('ribbon-stanzas'), readout = byId('ribbon-readout'), slider = byId('ribbon-threshold');
  const links = alignment.links.map(([source, target, score]) => ({words: [source, target], score}));
  const linksOf = sides.map((side, s) => side.words.map((_, i) => links.filter((link) => link.words[s] === i)));
  let words = [[], []];  // the elements, by side
  let threshold = 0, pinned = null, width = 0;

  const isShown = (link) => link.score >= threshold;

  function wordLabel(side, index) {
    const linked = linksOf[side][index].filter(isShown).sort((a, b) => b.score - a.score);
    const own = quoted(sides[side].words[index]);
    if (linked.length === 0) return own + ': no link';
    return own + ' – ' + linked.map((link) => quoted(sides[1 - side].words[link.words[1 - side]]) + ' ' + percent(link.score)).join(', ');
  }

  function choose(side, index) {
    for (const line of words) for (const word of line) word.classList.remove('is-linked', 'is-chosen');
    for (const path of host.querySelectorAll('.ribbon')) path.classList.remove('is-on');
    host.classList.toggle('has-choice', side !== null);
    if (side === null) return;
    words[side][index].classList.add('is-chosen');
    for (const link of linksOf[side][index].filter(isShown)) {
      words[1 - side][link.words[1 - side]].classList.add('is-linked');
      if (link.path) link.path.classList.add('is-on');
    }
    readout.textContent = wordLabel(side, index);
  }

  const restore = () => (pinned ? choose(...pinned) : choose(null));

  function moveFocus(side, index) {
    const word = words[side][index];
    if (!word) return;
    for (const line of words) for (const one of line) one.tabIndex = -1;
    word.tabIndex = 0;
    word.focus();
  }

  function onKey(event, side, index) {
    const strongest = linksOf[side][index].filter(isShown).sort((a, b) => b.score - a.score)[0];
    const across = strongest ? strongest.words[1 - side] : Math.min(index, sides[1 - side].words.length - 1);
    const isRightToLeft = getComputedStyle(words[side][index].parentElement).direction === 'rtl';
    const steps = {ArrowRight: isRightToLeft ? -1 : 1, ArrowLeft: isRightToLeft ? 1 : -1};
    if (event.key in steps) moveFocus(side, clamp(index + steps[event.key], 0, sides[side].words.length - 1));
    else if (event.key === 'ArrowDown' && side === 0) moveFocus(1, across);
    else if (event.key === 'ArrowUp' && side === 1) moveFocus(0, across);
    else if (event.key === 'Home') moveFocus(side, 0);
    else if (event.key === 'End') moveFocus(side, sides[side].words.length - 1);
    else if (event.key === 'Enter' || event.key === ' ') pin(side, index);
    else if (event.key === 'Escape') { pinned = null; choose(null); }
    else return;
    event.preventDefault();
  }

  function pin(side, index) {
    pinned = pinned && pinned[0] === side && pinned[1] === index ? null : [side, index];
    choose(side, index);
  }

  function makeWord(side, index) {
    const word = element('span', 'word', sides[side].words[index].replace(/\s+/g, ' '));
    word.setAttribute('role', 'button');
    word.tabIndex = side === 0 && index === 0 ? 0 : -1;
    word.addEventListener('pointerenter', () => choose(side, index));
    word.addEventListener('pointerleave', restore);
    word.addEventListener('focus', () => choose(side, index));
    word.addEventListener('blur', restore);
    word.addEventListener('click', () => pin(side, index));
    word.addEventListener('keydown', (event) => onKey(event, side, index));
    words[side][index] = word;
    return word;
  }

  // The words [first, last) of one side with the text between them; line ends become spaces.
  function makeLine(side, first, last, isEnd) {
    const line = element('div', 'word-line');
    line.dir = sides[side].direction;
    const gap = (i) => {
      const text = (sides[side].gaps[i] || '').replace(/\s+/g, ' ');
      const shown = i === first ? text.trimStart() : text;
      if (shown) line.append(element('span', '', shown));
    };
    for (let i = first; i < last; ++i) {
      gap(i);
      line.append(makeWord(side, i));
    }
    if (isEnd) gap(last);
    return line;
  }

  function measureWidths() {
    const context = document.createElement('canvas').getContext('2d');
    context.font = '17px system-ui, sans-serif';
    return sides.map((side) => {
      const ends = [0];
      side.words.forEach((word, i) => ends.push(ends[i] + context.measureText((side.gaps[i] || '') + word).width + 5));
      return ends;
    });
  }

  // Where the target is cut when the source is cut before word `cut`: most link weight stays in its own half. Among equal
  // cuts, which are many where words have no links, the one that takes the same share of both texts.
  function bestTargetCut(cut, [firstSource, firstTarget]) {
    const count = sides[1].words.length;
    const gain = new Float64Array(count + 2);
    for (const {words: [source, target], score} of links) {
      if (target < firstTarget) continue;
      gain[target + 1] += source < cut ? score : -score;  // a cut after this target word
    }
    const share = (cut - firstSource) / (sides[0].words.length - firstSource);
    const expected = firstTarget + share * (count - firstTarget);
    let best = firstTarget, bestGain = -1e9, sum = 0;
    for (let at = firstTarget; at <= count; ++at) {
      if (at > firstTarget) sum += gain[at];
      const value = sum - 1e-6 * Math.abs(at - expected);
      if (value > bestGain) { best = at; bestGain = value; }
    }
    return best;
  }

  // [{source: [first, last], target: [first, last]}]
  function cutStanzas(room) {
    const ends = measureWidths(), counts = sides.map((side) => side.words.length);
    const stanzas = [];
    let first = [0, 0];
    while (first[0] < counts[0] || first[1] < counts[1]) {
      let last = counts.slice();
      const fits = (side, end) => ends[side][end] - ends[side][first[side]] <= room;
      if (!fits(0, last[0]) || !fits(1, last[1])) {
        let source = first[0];
        while (source < counts[0] && fits(0, source + 1)) ++source;
        source = Math.max(source, Math.min(first[0] + 1, counts[0]));
        let target = source === counts[0] ? counts[1] : bestTargetCut(source, first);
        while (source > first[0] + 1 && !fits(1, target)) target = bestTargetCut(--source, first);
        // What does not fit with a single source word is cut by width, so that every line fits.
        while (target > first[1] + 1 && !fits(1, target)) --target;
        if (source === first[0] && target === first[1]) target = first[1] + 1;
        last = [source, target];
      }
      stanzas.push([[first[0], last[0]], [first[1], last[1]]]);
      first = last;
    }
    return stanzas;
  }

  function drawRibbons(stanza, svg, inside) {
    const own = links.filter((link) => stanza.every(([first, last], side) => link.words[side] >= first && link.words[side] < last));
    inside.classList.toggle('is-bare', own.length === 0);
    const origin = inside.getBoundingClientRect();
    for (const link of own) {
      const [above, below] = link.words.map((word, side) => words[side][word].getBoundingClientRect());
      const x = [above, below].map((box) => box.left + box.width / 2 - origin.left);
      const top = above.bottom - origin.top + 1, bottom = below.top - origin.top - 1, middle = (top + bottom) / 2;
      const path = document.createElementNS(svg.namespaceURI, 'path');
      path.setAttribute('class', 'ribbon');
      path.setAttribute('d', `M${x[0]},${top} C${x[0]},${middle} ${x[1]},${middle} ${x[1]},${bottom}`);
      path.style.stroke = `var(--ribbon-${link.words[0] % 4})`;
      path.style.strokeWidth = (1.5 + 8.5 * link.score).toFixed(1);
      path.style.strokeOpacity = (0.3 + 0.6 * link.score).toFixed(2);
      link.path = path;
      svg.append(path);
    }
  }

  function layOut() {
    width = host.clientWidth;
    const room = (theme.isPrinting ? 640 : Math.max(width, 200)) - 16;
    const focused = document.activeElement && words.map((line) => line.indexOf(document.activeElement));
    words = [[], []];
    host.replaceChildren();
    const namespace = byId('svg-source').namespaceURI;
    const stanzas = cutStanzas(room);
    const made = stanzas.map((stanza, index) => {
      const box = element('div', 'stanza'), inside = element('div', 'stanza-inside');
      const svg = document.createElementNS(namespace, 'svg');
      svg.setAttribute('aria-hidden', 'true');
      stanza.forEach(([first, last], side) => inside.append(makeLine(side, first, last, index === stanzas.length - 1)));
      inside.append(svg);
      box.append(inside);
      host.append(box);
      return [stanza, svg, inside];
    });
    for (const link of links) link.path = null;
    for (const one of made) drawRibbons(...one);
    applyThreshold();
    if (focused) focused.forEach((index, side) => { if (index >= 0) moveFocus(side, index); });
    restore();
  }

  function applyThreshold() {
    threshold = Number(slider.value) / 100;
    const value = byId('ribbon-threshold-value');
    value.textContent = slider.value + ' %';
    slider.setAttribute('aria-valuetext', value.textContent);
    for (const link of links) if (link.path) link.path.style.display = isShown(link) ? '' : 'none';
    words.forEach((line, side) => line.forEach((word, index) => {
      word.classList.toggle('is-free', !linksOf[side][index].some(isShown));
      word.setAttribute('aria-label', wordLabel(side, index));
    }));
  }

  slider.addEventListener('input', () => { applyThreshold(); restore(); });
  new ResizeObserver(() => { if (!theme.isPrinting && host.clientWidth !== width) layOut(); }).observe(host);
  window.addEventListener('beforeprint', layOut);
  window.addEventListener('afterprint', layOut);
  layOut();
}
