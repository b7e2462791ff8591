// What a screen reader is told about a page: the browser's accessibility tree as text, one line for each object.

/** Objects that say nothing of their own. Their children take their place. */
const PASSED_OVER = new Set([
  'generic',
  'none',
  'code',
  'MenuListPopup',
  'strong',
  'time',
  'rowgroup',
  'LabelText',
  'DescriptionList',
]);
/** Objects without a meaning of their own: pieces of a text that is already there. */
const LEFT_OUT = new Set(['InlineTextBox', 'ListMarker', 'LineBreak']);
/** Objects whose name is all that is read out of them. */
const ATOMS = new Set([
  'DisclosureTriangle',
  'DisclosureTriangleGrouped',
  'button',
  'checkbox',
  'columnheader',
  'heading',
  'image',
  'link',
  'option',
  'rowheader',
  'term',
  'textbox',
]);
/** Objects whose name is only their content, which is written below them. */
const CONTAINERS = new Set(['row', 'cell', 'gridcell']);
const ROLES = {
  DisclosureTriangle: 'disclosure',
  DisclosureTriangleGrouped: 'disclosure',
  RootWebArea: 'page',
  StaticText: 'text',
};
/** The states that are read out, in the order in which they are written. */
const STATES = [
  'level',
  'focused',
  'disabled',
  'required',
  'readonly',
  'invalid',
  'checked',
  'pressed',
  'selected',
  'expanded',
  'modal',
  'live',
];
const UNSAID = new Set([undefined, false, 'false', 'off']);

/** The tree of a page, for which `inspector` is a CDP session. */
export async function treeOf(page, inspector) {
  // What has autofocus gets the focus with the first picture.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  const { nodes } = await inspector.send('Accessibility.getFullAXTree');
  const byId = new Map(nodes.map((node) => [node.nodeId, node]));
  const current = await currentOnes(inspector);
  const lines = [];
  const write = (node, depth) => {
    const role = node.role.value;
    if (LEFT_OUT.has(role) || (role === 'StaticText' && !node.name?.value.trim())) return;
    const said = !node.ignored && (!PASSED_OVER.has(role) || hasFocus(node));
    if (said) lines.push('  '.repeat(depth) + lineOf(node, current.get(node.backendDOMNodeId)));
    if (said && ATOMS.has(role)) return;
    for (const id of node.childIds) write(byId.get(id), said ? depth + 1 : depth);
  };
  write(nodes[0], 0);
  return `${lines.join('\n')}\n`;
}

const hasFocus = ({ properties = [] }) => properties.some(({ name, value }) => name === 'focused' && value.value);

/** The inspector's tree lacks `aria-current`, which is read out. */
async function currentOnes(inspector) {
  const { root } = await inspector.send('DOM.getDocument', { depth: -1 });
  const found = new Map();
  const look = ({ attributes = [], children = [], backendNodeId }) => {
    const at = attributes.findIndex((name, index) => index % 2 === 0 && name === 'aria-current');
    if (at >= 0) found.set(backendNodeId, `current=${attributes[at + 1]}`);
    children.forEach(look);
  };
  look(root);
  return found;
}

function lineOf({ role: { value: role }, name, value, description, properties = [] }, current) {
  const said = new Map(properties.map((property) => [property.name, property.value.value]));
  if (role === 'listitem') said.delete('level');
  if (role === 'RootWebArea') said.delete('focused'); // until something on it has the focus
  const states = STATES.filter((state) => !UNSAID.has(said.get(state))).map((state) =>
    [true, 'true'].includes(said.get(state)) ? state : `${state}=${said.get(state)}`,
  );
  if (current) states.push(current);
  const parts = [ROLES[role] ?? role];
  if (name?.value && !CONTAINERS.has(role)) parts.push(quoted(name));
  if (states.length > 0) parts.push(`[${states.join(', ')}]`);
  if (value?.value) parts.push(`value ${quoted(value)}`);
  if (description?.value) parts.push(`description ${quoted(description)}`);
  return parts.join(' ');
}

const quoted = ({ value }) => JSON.stringify(String(value).replace(/\s+/g, ' ').trim());

/** Replaces what is different in each run. */
export class Placeholders {
  #names = new Map();

  /** A word for this value, such as `‹key 2›`, which stays the same from page to page. */
  #name(kind, value) {
    const known = this.#names.get(kind) ?? [];
    this.#names.set(kind, known);
    if (!known.includes(value)) known.push(value);
    return `‹${kind} ${known.indexOf(value) + 1}›`;
  }

  in(tree) {
    const whole = (secretId) => this.#name('key', `${secretId.slice(0, 8)}…${secretId.slice(-4)}`);
    return tree
      .replace(/AKID\w{32}/g, whole)
      .replace(/AKID\w{4}…\w{4}/g, (short) => this.#name('key', short))
      .replace(/\bAKID\w{16}\b/g, '‹part of a key›')
      .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '‹request›')
      .replace(/\b[0-9a-f]{64}\b|\b[0-9a-f]{8}…/g, '‹hash›')
      .replace(/\b[A-Za-z0-9]{32}\b/g, '‹SecretKey›')
      .replace(/\b[A-Z2-7]{4}( [A-Z2-7]{4}){7}\b/g, '‹setup key›')
      .replace(/\b[a-z2-7]{4}(-[a-z2-7]{4}){3}\b/g, '‹recovery code›')
      .replace(/(\/\/localhost):\d+/g, '$1:‹port›')
      .replace(/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b/g, '‹time›')
      .replace(/\b\d{4}-\d\d-\d\d \d\d:\d\d\b/g, '‹hour›')
      .replace(/\b\d{4}-\d\d-\d\d\b/g, '‹day›')
      .replace(/\b\d+ (minute|hour)s? ago\b/g, '‹time›')
      .replace(/\b\d+ s\b/g, '‹seconds›')
      .replace(/\b\d{12}\b/g, '‹UIN›')
      .replace(/\b\d{10}\b/g, '‹number›');
  }
}
