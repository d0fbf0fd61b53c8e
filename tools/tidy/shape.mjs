// How long things are. Both languages are formatted by a tool, so that indentation tells where a function ends.

const limits = { functionLinesMax: 70, fileLinesMax: 400 };

/** @typedef {{ path: string, line: number, message: string }} Problem */

const rustFunction = /^(\s*)(?:pub(?:\([^)]*\))? )?(?:default |const |async |unsafe |extern "[^"]*" )*fn (\w+)/;
const scriptFunction = /^(\s*)(?:export )?(?:default )?(?:async )?function\*? ?(\w*)/;
// A method, or a function value whose body opens on this line: `name(...) {`, `const name = (...) => {`.
const scriptMethod =
  /^(\s*)(?:(?:static|async|private|public|protected|override|get|set) )*(?!(?:if|for|while|switch|catch|with|return|else|do)\b)[#\w]+(?:<[^>]*>)?\(.*(?:\{|\()$/;
const scriptArrow = /^(\s*).*(?:=>|function\*?\s*\w*\(.*\)) \{$/;

/**
 * @param {string} path
 * @param {string} text
 * @returns {Problem[]}
 */
export function fileLength(path, text) {
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines <= limits.fileLinesMax) return [];
  return [
    { path, line: limits.fileLinesMax + 1, message: `${lines} lines: a file has at most ${limits.fileLinesMax}` },
  ];
}

/**
 * @param {string} path
 * @param {string} text
 * @returns {Problem[]}
 */
export function functionLengths(path, text) {
  const lines = text.split('\n');
  const rust = path.endsWith('.rs');
  const starts = rust ? [rustFunction] : [scriptFunction, scriptMethod, scriptArrow];
  /** @type {Problem[]} */
  const problems = [];
  lines.forEach((line, index) => {
    const indent = starts.map((pattern) => pattern.exec(line)?.[1]).find((found) => found !== undefined);
    if (indent === undefined) return;
    const body = rust ? index : bodyStart(lines, index, indent);
    const length = body === null ? 1 : closingLine(lines, body, indent) - index + 1;
    if (length > limits.functionLinesMax) {
      problems.push({
        path,
        line: index + 1,
        message: `function of ${length} lines: at most ${limits.functionLinesMax}`,
      });
    }
  });
  return problems;
}

/**
 * Line on which a script function's body opens, or null: what looked like a method was a call.
 *
 * @param {readonly string[]} lines
 * @param {number} first
 * @param {string} indent
 */
function bodyStart(lines, first, indent) {
  if ((lines[first] ?? '').endsWith('{')) return first;
  for (let index = first + 1; index < lines.length; index++) {
    const line = lines[index] ?? '';
    if (line.startsWith(`${indent})`)) return line.endsWith('{') ? index : null;
  }
  return null;
}

/**
 * Line of the closing brace at a function's own indentation; its first line when it has no body.
 *
 * @param {readonly string[]} lines
 * @param {number} first
 * @param {string} indent
 */
function closingLine(lines, first, indent) {
  if (/[;}],?$/.test(lines[first] ?? '')) return first;
  for (let index = first + 1; index < lines.length; index++) {
    const line = lines[index] ?? '';
    if (line.startsWith(`${indent}}`)) return index;
    if (line.startsWith(`${indent})`) && line.endsWith(';')) return first;
  }
  return first;
}
