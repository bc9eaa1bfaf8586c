// Long arrays travel as little-endian bytes, compressed by zlib, in base64: this unpacks them.

export interface Packed {
  type: "u8" | "i8" | "u16" | "u32" | "f32";
  count: number;
  zlib: string;
}

export type Numbers = Uint8Array | Int8Array | Uint16Array | Uint32Array | Float32Array;

const makers = {
  u8: (b: ArrayBuffer) => new Uint8Array(b),
  i8: (b: ArrayBuffer) => new Int8Array(b),
  u16: (b: ArrayBuffer) => new Uint16Array(b),
  u32: (b: ArrayBuffer) => new Uint32Array(b),
  f32: (b: ArrayBuffer) => new Float32Array(b),
};

export async function unpack(packed: Packed): Promise<Numbers> {
  const text = atob(packed.zlib);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const numbers = makers[packed.type](await new Response(stream).arrayBuffer());
  if (numbers.length !== packed.count) throw new Error(`${numbers.length} values where ${packed.count} were promised`);
  return numbers;
}
