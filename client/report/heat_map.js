// The heat map's controls, cursor and readout.
function startHeatMap() {
  if (report.kinds.length === 0) return;
  byId('heat').hidden = false;
  const scroll = byId('map-scroll'), readout = byId('heat-readout'), tooltip = byId('tooltip');
  const kindBox = byId('heat-kind'), layerBox = byId('heat-layer'), headBox = byId('heat-head'), shadeBox = byId('heat-shade');
  const view = new MapCanvas(scroll, byId('map-space'), byId('map-canvas'));
  let kind = report.kinds[0], map = kind.maps[0], weights = null, levels = null, fits = true;

  const rowLabels = () => report.axes[kind.rows].labels, columnLabels = () => report.axes[kind.columns].labels;
  const weightAt = (row, column) => weights[row * columnLabels().length + column];
  const weightText = (weight) => (Number.isNaN(weight) ? 'not kept' : percent(weight));
  const sentenceOf = ({row, column}) =>
    quoted(rowLabels()[row]) + ' → ' + quoted(columnLabels()[column]) + ': ' + weightText(weightAt(row, column));

  function fill(box, options) {
    box.replaceChildren(...options.map(({value, text}) => {
      const option = element('option', '', text);
      option.value = value;
      return option;
    }));
    box.disabled = options.length < 2;
  }

  // Folded maps of the whole kind stand in the list of layers beside the layers.
  function fillLayers() {
    const options = [];
    kind.maps.forEach((one, index) => {
      if (one.layer === undefined) options.push({value: 'map' + index, text: one.name});
    });
    const layers = [...new Set(kind.maps.filter((one) => one.layer !== undefined).map((one) => one.layer))];
    for (const layer of layers.sort((a, b) => a - b)) options.push({value: String(layer), text: 'layer ' + layer});
    fill(layerBox, options);
  }

  const mapsOfLayer = (layer) => kind.maps.filter((one) => one.layer === layer)
    .sort((a, b) => (a.head === undefined ? -1 : a.head) - (b.head === undefined ? -1 : b.head));

  function fillHeads(layer) {
    fill(headBox, layer === undefined ? [{value: '', text: '–'}] : mapsOfLayer(layer).map((one) => ({
      value: String(kind.maps.indexOf(one)), text: one.head === undefined ? one.name : 'head ' + one.head})));
    headBox.value = layer === undefined ? '' : String(kind.maps.indexOf(map));
  }

  function chooseKind(next) {
    kind = next;
    map = kind.maps[0];
    fillLayers();
    layerBox.value = map.layer === undefined ? 'map0' : String(map.layer);
    fillHeads(map.layer);
    view.cursor = {row: 0, column: 0};
    view.left = undefined;
    fits = true;
    showMap();
  }

  function chooseLayer() {
    if (layerBox.value.startsWith('map')) {
      map = kind.maps[Number(layerBox.value.slice(3))];
    } else {
      const head = map.head;
      const maps = mapsOfLayer(Number(layerBox.value));
      map = maps.find((one) => one.head === head) || maps[0];
    }
    fillHeads(map.layer);
    showMap();
  }

  function makeLevels() {
    const columns = columnLabels().length;
    let largest = 0;
    for (const weight of weights) if (weight > largest) largest = weight;
    levels = new Uint8Array(weights.length);
    const mode = shadeBox.value;
    for (let first = 0; first < weights.length; first += columns) {
      let scale = largest;
      if (mode === 'row') {
        scale = 0;
        for (let i = first; i < first + columns; ++i) if (weights[i] > scale) scale = weights[i];
      }
      for (let i = first; i < first + columns; ++i) {
        const share = scale > 0 && weights[i] > 0 ? weights[i] / scale : 0;
        levels[i] = Math.round(255 * (mode === 'root' ? Math.sqrt(share) : share));
      }
    }
    return largest;
  }

  function drawLegend(largest, shades) {
    const context = byId('legend-canvas').getContext('2d');
    shades.forEach(([red, green, blue], i) => {
      context.fillStyle = 'rgb(' + red + ',' + green + ',' + blue + ')';
      context.fillRect(i, 0, 1, 1);
    });
    byId('legend-largest').textContent = shadeBox.value === 'row' ? 'largest of the row'
      : percent(largest) + (shadeBox.value === 'root' ? ', by square root' : '');
  }

  function mapName() {
    return map.layer !== undefined && map.head === undefined ? 'layer ' + map.layer + ', ' + map.name : map.name;
  }

  function showMap() {
    const start = performance.now();
    weights = weightsOf(map);
    const largest = makeLevels();
    const shades = makeShades();
    view.setMap({rows: rowLabels().length, columns: columnLabels().length, weights, levels, shades,
                 rowLabels: rowLabels(), columnLabels: columnLabels()});
    if (fits) view.cell = view.fitCell();
    view.layout();
    drawLegend(largest, shades);
    byId('map-name').textContent = kind.title + '. ' + mapName() + '.';
    showCursor();
    overview.show(kind, map);
    // For whoever measures: from the choice of a map to the finished picture, in milliseconds.
    byId('map-canvas').dataset.milliseconds = (performance.now() - start).toFixed(1);
  }

  function showCursor() {
    const {row, column} = view.cursor;
    readout.textContent = sentenceOf(view.cursor);
    scroll.setAttribute('aria-label', kind.title + ', ' + mapName() + ', ' + rowLabels().length + ' rows, ' +
      columnLabels().length + ' columns. ' + readout.textContent);
    byId('row-caption').textContent = 'What ' + quoted(rowLabels()[row]) + ' reads';
    showRowTable(row, column);
  }

  function showRowTable(row) {
    const columns = columnLabels().length;
    const order = Array.from({length: columns}, (_, column) => column)
      .filter((column) => weightAt(row, column) >= 0.00005)  // shown as 0.01 % at least
      .sort((a, b) => weightAt(row, b) - weightAt(row, a)).slice(0, 10);
    if (order.length === 0) {
      const line = element('tr'), cell = element('td', 'empty-row',
        'Nothing that is shown: its weight is on tokens that were left out, or below what was kept.');
      cell.colSpan = 2;
      line.append(cell);
      byId('row-table').replaceChildren(line);
      return;
    }
    const most = weightAt(row, order[0]);
    byId('row-table').replaceChildren(...order.map((column) => {
      const line = element('tr'), word = element('td', '', columnLabels()[column]);
      word.dir = 'auto';
      const bar = element('span', 'bar');
      bar.style.width = (100 * weightAt(row, column) / most).toFixed(1) + '%';
      word.append(bar);
      line.append(word, element('td', '', percent(weightAt(row, column))));
      return line;
    }));
  }

  function moveTo(row, column) {
    view.cursor = {row: clamp(row, 0, rowLabels().length - 1), column: clamp(column, 0, columnLabels().length - 1)};
    view.scrollToCursor();
    view.draw();
    showCursor();
  }

  function largestOfRow(row) {
    let best = 0;
    for (let column = 0; column < columnLabels().length; ++column)
      if (weightAt(row, column) > weightAt(row, best) || Number.isNaN(weightAt(row, best))) best = column;
    return best;
  }

  // Folds of the whole kind, then layer by layer.
  const orderOf = (one) => one.maps.filter((map) => map.layer === undefined)
    .concat([...new Set(one.maps.map((map) => map.layer))].filter((layer) => layer !== undefined)
      .sort((a, b) => a - b).flatMap(mapsOfLayer));

  function chooseMap(next) {
    map = next;
    layerBox.value = map.layer === undefined ? 'map' + kind.maps.indexOf(map) : String(map.layer);
    fillHeads(map.layer);
    showMap();
  }

  function stepHead(step) {
    const ordered = orderOf(kind);
    chooseMap(ordered[(ordered.indexOf(map) + step + ordered.length) % ordered.length]);
    readout.textContent = mapName() + '. ' + sentenceOf(view.cursor);
  }

  function zoom(factor) {
    fits = false;
    view.setCell(view.cell * factor);
  }

  function fitAll() {
    fits = true;
    showMap();
  }

  function onKey(event) {
    if (event.altKey || event.metaKey) return;
    const {row, column} = view.cursor;
    const page = Math.max(1, Math.floor((view.viewHeight - view.top) / view.cell) - 1);
    const lastRow = rowLabels().length - 1, lastColumn = columnLabels().length - 1;
    const actions = {
      ArrowUp: () => moveTo(row - 1, column), ArrowDown: () => moveTo(row + 1, column),
      ArrowLeft: () => moveTo(row, column - 1), ArrowRight: () => moveTo(row, column + 1),
      PageUp: () => moveTo(row - page, column), PageDown: () => moveTo(row + page, column),
      Home: () => moveTo(event.ctrlKey ? 0 : row, 0),
      End: () => moveTo(event.ctrlKey ? lastRow : row, lastColumn),
      m: () => moveTo(row, largestOfRow(row)), M: () => moveTo(row, largestOfRow(row)),
      '[': () => stepHead(-1), ']': () => stepHead(1),
      '+': () => zoom(1.25), '=': () => zoom(1.25), '-': () => zoom(0.8), '−': () => zoom(0.8), 0: fitAll,
    };
    const action = actions[event.key];
    if (!action || (event.ctrlKey && event.key !== 'Home' && event.key !== 'End')) return;
    event.preventDefault();
    action();
  }

  function onMove(event) {
    const cell = view.cellAt(event.clientX, event.clientY);
    tooltip.hidden = !cell;
    if (!cell) return;
    tooltip.textContent = sentenceOf(cell);
    const width = tooltip.offsetWidth, height = tooltip.offsetHeight;
    tooltip.style.left = clamp(event.clientX + 14, 4, Math.max(4, window.innerWidth - width - 4)) + 'px';
    tooltip.style.top = (event.clientY + 18 + height > window.innerHeight ? event.clientY - height - 10 : event.clientY + 18) + 'px';
  }

  kindBox.addEventListener('change', () => chooseKind(report.kinds[Number(kindBox.value)]));
  layerBox.addEventListener('change', chooseLayer);
  headBox.addEventListener('change', () => { map = kind.maps[Number(headBox.value)]; showMap(); });
  shadeBox.addEventListener('change', showMap);
  byId('zoom-in').addEventListener('click', () => zoom(1.25));
  byId('zoom-out').addEventListener('click', () => zoom(0.8));
  byId('zoom-fit').addEventListener('click', fitAll);
  scroll.addEventListener('keydown', onKey);
  scroll.addEventListener('pointermove', onMove);
  scroll.addEventListener('pointerleave', () => { tooltip.hidden = true; });
  scroll.addEventListener('scroll', () => { tooltip.hidden = true; });
  scroll.addEventListener('click', (event) => {
    const cell = view.cellAt(event.clientX, event.clientY);
    if (cell) moveTo(cell.row, cell.column);
  });
  scroll.addEventListener('wheel', (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
  }, {passive: false});
  window.addEventListener('resize', () => { if (fits && !theme.isPrinting) showMap(); });
  theme.listeners.push(showMap);
  window.addEventListener('beforeprint', () => { view.startPrint(); });
  window.addEventListener('afterprint', () => { view.endPrint(); });

  const overview = new Overview(orderOf, chooseMap);
  fill(kindBox, report.kinds.map((one, index) => ({value: String(index), text: one.title})));
  chooseKind(kind);
}
