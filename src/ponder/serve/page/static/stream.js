// Server-sent events of a POST, one parsed value after another.
export async function* events(address, fields) {
  const reply = await fetch(address, { method: "POST", body: new URLSearchParams(fields) });
  if (!reply.ok) {
    const said = await reply.json().catch(() => null);
    throw new Error(said?.error?.message ?? `The gateway answered ${reply.status}.`);
  }
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const pieces = rest.split("\n\n");
    rest = pieces.pop();
    for (const piece of pieces) if (piece.startsWith("data: ")) yield JSON.parse(piece.slice(6));
  }
}
