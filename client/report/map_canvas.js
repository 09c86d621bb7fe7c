// Draws a matrix with its labels on one canvas that stays in view while its scroll box moves. The matrix is one small
// image, a pixel for each weight, made when the map changes; drawing scales the part in sight, so that 512 x 512 weights
// cost one drawImage however far one zooms.
const labelFont = '13px system-ui, sans-serif';
const minCell = 1, maxCell = 56;

class MapCanvas {
  constructor(scroll, space, canvas) {
    Object.assign(this, {scroll, space, canvas, context: canvas.getContext('2d'), image: document.createElement('canvas')});
    this.cell = 12;
    this.cursor = {row: 0, column: 0};
    this.widths = new Map();
    scroll.addEventListener('scroll', () => this.requestDraw());
    new ResizeObserver(() => this.resize()).observe(scroll);
  }

  // weights: Float32Array of rows * columns; shades: 256 colours; levels: Uint8Array, a shade for each weight.
  setMap(map) {
    this.map = map;
    const {rows, columns, levels, shades} = map;
    this.image.width = columns;
    this.image.height = rows;
    const context = this.image.getContext('2d');
    const picture = context.createImageData(columns, rows);
    const pixels = new Uint32Array(picture.data.buffer);
    const packed = Uint32Array.from(shades, ([red, green, blue]) => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0);
    for (let i = 0; i < levels.length; ++i) pixels[i] = packed[levels[i]];
    context.putImageData(picture, 0, 0);
  }

  // Room for labels: what they need, at most a third of the width and a fixed height above.
  measureLabels() {
    this.context.font = labelFont;
    const longest = (labels) => labels.reduce((most, label) => Math.max(most, this.widthOf(label)), 0);
    const available = this.available().width;
    this.left = Math.ceil(clamp(longest(this.map.rowLabels) + 14, 30, Math.max(70, Math.min(190, available / 3))));
    const rise = longest(this.map.columnLabels);
    this.top = Math.ceil(clamp(this.isSlanted() ? rise * 0.78 + 22 : rise + 20, 26, 130));
  }

  widthOf(label) {
    let width = this.widths.get(label);
    if (width === undefined) {
      width = this.context.measureText(label).width;
      this.widths.set(label, width);
    }
    return width;
  }

  isSlanted() { return this.cell >= 24; }
  // Slanted labels of the last columns lean out of the matrix.
  rightMargin() { return this.isSlanted() ? Math.round(this.top * 0.75) : 4; }

  available() {
    if (this.printWidth) return {width: this.printWidth, height: this.printWidth * 1.15};
    return {width: this.scroll.clientWidth, height: Math.max(window.innerHeight * 0.78 - 20, 240)};
  }

  fitCell() {
    this.cell = maxCell;  // labels first as they stand over large cells
    this.measureLabels();
    const {width, height} = this.available();
    const {rows, columns} = this.map;
    let cell = Math.min((width - this.left - this.rightMargin()) / columns, (height - this.top - 4) / rows);
    if (cell < 24) {
      this.cell = 12;
      this.measureLabels();
      cell = Math.min((width - this.left - this.rightMargin()) / columns, (height - this.top - 4) / rows);
    }
    return clamp(cell, minCell, maxCell);
  }

  // Keeps the cursor's cell where it is on the screen.
  setCell(cell) {
    const before = this.cellOrigin(this.cursor.row, this.cursor.column);
    this.cell = clamp(cell, minCell, maxCell);
    this.layout();
    const after = this.cellOrigin(this.cursor.row, this.cursor.column);
    this.scroll.scrollLeft += after.x - before.x;
    this.scroll.scrollTop += after.y - before.y;
    this.draw();
  }

  cellOrigin(row, column) {
    return {x: this.left + column * this.cell - this.scroll.scrollLeft, y: this.top + row * this.cell - this.scroll.scrollTop};
  }

  layout() {
    this.measureLabels();
    this.width = Math.ceil(this.left + this.map.columns * this.cell + this.rightMargin());
    this.height = Math.ceil(this.top + this.map.rows * this.cell + 4);
    this.space.style.width = this.width + 'px';
    this.space.style.height = this.height + 'px';
    this.resize();
  }

  resize() {
    if (!this.map || this.left === undefined) return;
    const ratio = this.printWidth ? 3 : window.devicePixelRatio || 1;
    this.viewWidth = this.printWidth ? this.width : Math.min(this.scroll.clientWidth, Math.max(this.width, 1));
    this.viewHeight = this.printWidth ? this.height : Math.min(this.scroll.clientHeight || this.height, this.height);
    const width = Math.round(this.viewWidth * ratio), height = Math.round(this.viewHeight * ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    this.canvas.style.width = this.viewWidth + 'px';
    this.canvas.style.height = this.viewHeight + 'px';
    this.ratio = ratio;
    this.draw();
  }

  requestDraw() {
    if (this.isPending) return;
    this.isPending = true;
    requestAnimationFrame(() => { this.isPending = false; this.draw(); });
  }

  // Rows and columns in sight: [first, one past the last].
  visible() {
    const scrollLeft = this.printWidth ? 0 : this.scroll.scrollLeft, scrollTop = this.printWidth ? 0 : this.scroll.scrollTop;
    const span = (scrolled, room, count) => [
      clamp(Math.floor(scrolled / this.cell), 0, count), clamp(Math.ceil((scrolled + room) / this.cell), 0, count)];
    return {
      scrollLeft, scrollTop,
      rows: span(scrollTop, this.viewHeight - this.top, this.map.rows),
      columns: span(scrollLeft, this.viewWidth - this.left, this.map.columns),
    };
  }

  draw() {
    if (!this.map || this.left === undefined) return;
    const {context, cell, left, top} = this;
    const seen = this.visible();
    const [firstRow, lastRow] = seen.rows, [firstColumn, lastColumn] = seen.columns;
    const x = left + firstColumn * cell - seen.scrollLeft, y = top + firstRow * cell - seen.scrollTop;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = themeColor('--page');
    context.fillRect(0, 0, this.viewWidth, this.viewHeight);
    context.save();
    context.beginPath();
    context.rect(left, top, this.viewWidth - left, this.viewHeight - top);
    context.clip();
    context.imageSmoothingEnabled = false;
    const width = lastColumn - firstColumn, height = lastRow - firstRow;
    if (width > 0 && height > 0)
      context.drawImage(this.image, firstColumn, firstRow, width, height, x, y, width * cell, height * cell);
    if (cell >= 12) this.drawGrid(seen, x, y);
    if (cell >= 24) this.drawValues(seen, x, y);
    context.strokeStyle = themeColor('--line');
    context.lineWidth = 1;
    context.strokeRect(left - seen.scrollLeft + 0.5, top - seen.scrollTop + 0.5, this.map.columns * cell - 1, this.map.rows * cell - 1);
    if (!this.printWidth) this.drawCursor(seen);
    context.restore();
    this.drawLabels(seen);
  }

  drawGrid({rows, columns}, x, y) {
    const {context, cell} = this;
    context.strokeStyle = themeColor('--page');
    context.lineWidth = 1;
    context.beginPath();
    for (let column = columns[0]; column <= columns[1]; ++column) {
      const at = Math.round(x + (column - columns[0]) * cell) + 0.5;
      context.moveTo(at, y);
      context.lineTo(at, y + (rows[1] - rows[0]) * cell);
    }
    for (let row = rows[0]; row <= rows[1]; ++row) {
      const at = Math.round(y + (row - rows[0]) * cell) + 0.5;
      context.moveTo(x, at);
      context.lineTo(x + (columns[1] - columns[0]) * cell, at);
    }
    context.stroke();
  }

  drawValues({rows, columns}, x, y) {
    const {context, cell, map} = this;
    context.font = (cell >= 30 ? 12 : 11) + 'px system-ui, sans-serif';
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    for (let row = rows[0]; row < rows[1]; ++row) {
      for (let column = columns[0]; column < columns[1]; ++column) {
        const at = row * map.columns + column;
        const weight = map.weights[at];
        if (!(weight >= 0.005)) continue;
        context.fillStyle = textOn(map.shades[map.levels[at]]);
        context.fillText(String(Math.round(weight * 100)), x + (column - columns[0] + 0.5) * cell, y + (row - rows[0] + 0.5) * cell);
      }
    }
  }

  drawCursor(seen) {
    const {context, cell} = this;
    const at = {x: this.left + this.cursor.column * cell - seen.scrollLeft, y: this.top + this.cursor.row * cell - seen.scrollTop};
    const size = Math.max(cell, 6), shift = (size - cell) / 2;
    context.lineWidth = 4;
    context.strokeStyle = themeColor('--page');
    context.strokeRect(at.x - shift, at.y - shift, size, size);
    context.lineWidth = 2;
    context.strokeStyle = themeColor('--focus');
    context.strokeRect(at.x - shift, at.y - shift, size, size);
  }

  // Small cells: every n-th label, and always that of the cursor.
  drawLabels(seen) {
    const {context, cell, map, left, top} = this;
    const step = Math.max(1, Math.ceil(15 / cell));
    const indices = ([first, last], current) => {
      const chosen = [];
      for (let i = Math.ceil(first / step) * step; i < last; i += step)
        if (this.printWidth || Math.abs(i - current) >= step || i === current) chosen.push(i);
      if (!this.printWidth && current >= first && current < last && !chosen.includes(current)) chosen.push(current);
      return chosen;
    };
    context.font = labelFont;
    context.save();
    context.beginPath();
    context.rect(0, top - 9, left, this.viewHeight - top + 9);
    context.clip();
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (const row of indices(seen.rows, this.cursor.row)) {
      this.setLabelStyle(row === this.cursor.row);
      context.fillText(this.cut(map.rowLabels[row], left - 12), left - 7, top + (row + 0.5) * cell - seen.scrollTop);
    }
    context.restore();
    context.save();
    context.beginPath();
    context.rect(left - 9, 0, this.viewWidth, top);
    context.clip();
    context.textAlign = 'left';
    const room = this.isSlanted() ? (top - 18) / 0.78 : top - 14;
    for (const column of indices(seen.columns, this.cursor.column)) {
      this.setLabelStyle(column === this.cursor.column);
      context.save();
      context.translate(left + (column + 0.5) * cell - seen.scrollLeft, top - 7);
      context.rotate(this.isSlanted() ? -Math.PI / 3.6 : -Math.PI / 2);
      context.fillText(this.cut(map.columnLabels[column], room), 0, 0);
      context.restore();
    }
    context.restore();
  }

  setLabelStyle(isCurrent) {
    const stands = isCurrent && !this.printWidth;
    this.context.font = (stands ? 'bold ' : '') + labelFont;
    this.context.fillStyle = themeColor(stands ? '--focus' : '--text');
  }

  cut(label, room) {
    if (this.widthOf(label) <= room) return label;
    const letters = Array.from(label);
    let low = 0, high = letters.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.context.measureText(letters.slice(0, middle).join('') + '…').width <= room) low = middle;
      else high = middle - 1;
    }
    return letters.slice(0, low).join('') + '…';
  }

  // The cell under a point of the window, or null.
  cellAt(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    const x = clientX - box.left, y = clientY - box.top;
    if (x < this.left || y < this.top) return null;
    const column = Math.floor((x - this.left + this.scroll.scrollLeft) / this.cell);
    const row = Math.floor((y - this.top + this.scroll.scrollTop) / this.cell);
    return row < this.map.rows && column < this.map.columns ? {row, column} : null;
  }

  scrollToCursor() {
    const {x, y} = this.cellOrigin(this.cursor.row, this.cursor.column);
    const over = (at, low, high) => (at < low ? at - low : at + this.cell > high ? at + this.cell - high : 0);
    this.scroll.scrollLeft += over(x, this.left, this.viewWidth - 4);
    this.scroll.scrollTop += over(y, this.top, this.viewHeight - 4);
  }

  startPrint() {
    this.kept = {cell: this.cell, left: this.scroll.scrollLeft, top: this.scroll.scrollTop};
    this.printWidth = 660;
    this.cell = Math.min(this.fitCell(), 40);
    this.layout();
  }

  endPrint() {
    this.printWidth = 0;
    this.cell = this.kept.cell;
    this.layout();
    this.scroll.scrollLeft = this.kept.left;
    this.scroll.scrollTop = this.kept.top;
    this.draw();
  }
}
