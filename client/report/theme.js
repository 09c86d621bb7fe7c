// Light, dark or as the system says; and the shades of the heat map, which follow the theme. Paper is always light.
const theme = {choice: 'auto', isPrinting: false, listeners: []};
const systemDark = window.matchMedia('(prefers-color-scheme: dark)');

function isDark() {
  if (theme.isPrinting) return false;
  return theme.choice === 'auto' ? systemDark.matches : theme.choice === 'dark';
}

function applyTheme() {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
  const names = {auto: 'automatic', light: 'light', dark: 'dark'};
  byId('theme').textContent = 'Theme: ' + names[theme.choice];
  for (const listener of theme.listeners) listener();
}

function startTheme() {
  // A page opened from a file may have no storage; the choice then lasts as long as the page.
  try {
    const kept = localStorage.getItem('attend-report-theme');
    if (kept === 'light' || kept === 'dark') theme.choice = kept;
  } catch (error) { /* no storage */ }
  byId('theme').addEventListener('click', () => {
    theme.choice = {auto: isDark() ? 'light' : 'dark', light: 'dark', dark: 'light'}[theme.choice];
    if ((theme.choice === 'dark') === systemDark.matches) theme.choice = 'auto';
    try { localStorage.setItem('attend-report-theme', theme.choice); } catch (error) { /* no storage */ }
    applyTheme();
  });
  systemDark.addEventListener('change', applyTheme);
  applyTheme();
}

// Shades run evenly in OKLab lightness, from the page's background through teal and blue: equal steps of the value look
// equal, and lightness alone carries the value for eyes that see no hue.
const shadeStops = {
  light: [[0.985, 0, 0], [0.80, -0.075, -0.035], [0.60, -0.045, -0.115], [0.42, 0.015, -0.135], [0.25, 0.045, -0.085]],
  dark: [[0.22, 0.0, -0.01], [0.41, 0.015, -0.12], [0.60, -0.045, -0.10], [0.79, -0.09, 0.01], [0.965, -0.03, 0.09]],
};

function oklabToRgb(lightness, a, b) {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((value) => {
    const v = clamp(value, 0, 1);
    return Math.round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055));
  });
}

// 256 shades as [red, green, blue].
function makeShades() {
  const stops = shadeStops[isDark() ? 'dark' : 'light'];
  const shades = [];
  for (let i = 0; i < 256; ++i) {
    const at = (i / 255) * (stops.length - 1);
    const first = Math.min(Math.floor(at), stops.length - 2);
    const part = at - first;
    shades.push(oklabToRgb(...stops[first].map((value, k) => value + part * (stops[first + 1][k] - value))));
  }
  return shades;
}

// Black or white, whichever stands out more: by the contrast of WCAG.
function textOn([red, green, blue]) {
  const linear = [red, green, blue].map((value) => {
    const v = value / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return luminance > 0.179 ? '#000000' : '#ffffff';
}

const themeColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
