// Files of what is shown: CSV for spreadsheets, LaTeX for papers, pictures.

function save(name, content, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type: `${type};charset=utf-8` });
  const link = create("a", { download: name.replace(/[^\p{L}\p{N}._() -]+/gu, "-"), href: URL.createObjectURL(blob) });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** A cell of CSV; a name that a spreadsheet would run as a formula gets an apostrophe, numbers do not. */
function csvCell(value) {
  let text = String(value).replace(/[\r\n]+/g, " ");
  if (/^\s*[=+\-@]/.test(text) && !/^[+-]?[\d.]+(e[+-]?\d+)?$|^-∞$/.test(text)) text = `'${text}`;
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Columns that have intervals are followed by both ends of them where the page shows intervals. */
function csvText(rows) {
  const count = Math.max(...rows.map((row) => row.length));
  const wide = [...Array(count).keys()].map((place) => state.intervals && rows.some((row) => row[place]?.low));
  const line = (row, head) => row.flatMap((cell, place) => !wide[place] ? [cell.text]
    : head ? [cell.text, `${cell.text} low`, `${cell.text} high`] : [cell.text, cell.low ?? "", cell.high ?? ""]);
  return rows.map((row, number) => `${line(row, number === 0).map(csvCell).join(",")}\n`).join("");
}

const TEX = { "\\": "\\textbackslash{}", "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_", "{": "\\{", "}": "\\}",
  "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}", "[": "{[}", "*": "{*}",
  "↑": "$\\uparrow$", "↓": "$\\downarrow$", "→": "$\\rightarrow$", "∞": "$\\infty$", "–": "--", "≈": "$\\approx$", "†": "\\dag{}" };
const texText = (text) => [...text].map((sign) => TEX[sign] ?? sign).join("");

function latexText(rows, title) {
  const [heads, ...lines] = rows;
  const cell = ({ text, mark, low, high }) => {
    const shown = { best: `\\textbf{${texText(text)}}`, second: `\\underline{${texText(text)}}` }[mark] ?? texText(text);
    return state.intervals && low ? `${shown} {\\scriptsize {[}${low}, ${high}]}` : shown;
  };
  return ["% needs \\usepackage{booktabs}", "\\begin{table}", "\\centering", `\\caption{${texText(title)}}`,
    `\\begin{tabular}{l${"r".repeat(heads.length - 1)}}`, "\\toprule",
    `${heads.map((head) => texText(head.text)).join(" & ")} \\\\`, "\\midrule",
    ...lines.map((line) => `${line.map(cell).join(" & ")} \\\\`), "\\bottomrule", "\\end{tabular}", "\\end{table}", ""].join("\n");
}

/** Rows of plain values as CSV. */
const plainCsv = (rows) => rows.map((row) => `${row.map((value) => csvCell(typeof value === "number" ? (Number.isNaN(value) ? "" : value) : value)).join(",")}\n`).join("");
