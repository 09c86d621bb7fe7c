// All maps of a kind side by side, small, so that one sees which head does what. Drawn when opened, one after the other,
// so that the page stays free to answer.
const thumbnailPixels = 88;

// The largest weight under each pixel: a mean would hide single strong links of long texts.
function drawThumbnail(canvas, weights, rows, columns, shades) {
  const width = Math.min(columns, thumbnailPixels), height = Math.min(rows, thumbnailPixels);
  const most = new Float32Array(width * height);
  let largest = 0;
  for (let row = 0; row < rows; ++row) {
    const y = Math.floor(row * height / rows);
    for (let column = 0; column < columns; ++column) {
      const weight = weights[row * columns + column];
      const at = y * width + Math.floor(column * width / columns);
      if (weight > most[at]) most[at] = weight;
      if (weight > largest) largest = weight;
    }
  }
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  const picture = context.createImageData(width, height);
  most.forEach((weight, i) => {
    const shade = shades[largest > 0 ? Math.round(255 * Math.sqrt(weight / largest)) : 0];
    picture.data.set([shade[0], shade[1], shade[2], 255], 4 * i);
  });
  context.putImageData(picture, 0, 0);
}

class Overview {
  // choose(map) is called when the reader picks one; orderOf(kind) gives the maps as they are to stand.
  constructor(orderOf, choose) {
    Object.assign(this, {orderOf, choose, details: byId('overview'), host: byId('overview-maps'), run: 0});
    this.details.addEventListener('toggle', () => this.fill());
    theme.listeners.push(() => this.fill());
  }

  show(kind, map) {
    const isNew = kind !== this.kind;
    this.kind = kind;
    this.details.hidden = kind.maps.length < 2;
    if (isNew) this.fill();
    for (const [one, button] of this.buttons || []) button.setAttribute('aria-pressed', String(one === map));
    this.map = map;
  }

  fill() {
    const run = ++this.run;
    this.buttons = new Map();
    this.host.replaceChildren();
    if (!this.details.open || !this.kind) return;
    const shades = makeShades();
    const maps = this.orderOf(this.kind);
    for (const map of maps) this.host.append(this.makeButton(map));
    const rows = report.axes[this.kind.rows].labels.length, columns = report.axes[this.kind.columns].labels.length;
    const drawNext = (index) => {
      if (run !== this.run || index === maps.length) return;
      drawThumbnail(this.buttons.get(maps[index]).firstChild, decodeWeights(maps[index]), rows, columns, shades);
      setTimeout(() => drawNext(index + 1), 0);
    };
    drawNext(0);
  }

  makeButton(map) {
    const button = element('button', 'thumbnail');
    button.type = 'button';
    button.append(element('canvas'), element('span', '', map.layer === undefined ? map.name
      : map.head === undefined ? 'layer ' + map.layer + ', mean' : 'layer ' + map.layer + ', head ' + map.head));
    button.setAttribute('aria-pressed', String(map === this.map));
    button.addEventListener('click', () => this.choose(map));
    this.buttons.set(map, button);
    return button;
  }
}
