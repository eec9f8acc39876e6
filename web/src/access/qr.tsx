import qrcode from "qrcode-generator";

/** A QR code, made here: what it says is told to nobody. */
export default function QR({ text, label }: { text: string; label: string }) {
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  const size = code.getModuleCount();
  const dots: string[] = [];
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) if (code.isDark(y, x)) dots.push(`M${x} ${y}h1v1h-1z`);
  const edge = 4; // what readers need around it
  return (
    <svg className="qr" role="img" aria-label={label} viewBox={`${-edge} ${-edge} ${size + 2 * edge} ${size + 2 * edge}`} shapeRendering="crispEdges">
      <rect x={-edge} y={-edge} width={size + 2 * edge} height={size + 2 * edge} fill="#fff" />
      <path d={dots.join("")} fill="#000" />
    </svg>
  );
}
