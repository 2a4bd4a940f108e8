// Typed arrays that grow while a file of unknown size is read.

/** Numbers in a `Float64Array` of doubling capacity; `array()` gives exactly what was pushed. */
export class GrowingFloats {
  values = new Float64Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Float64Array(2 * this.length);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  array(): Float64Array {
    return this.values.slice(0, this.length);
  }
}

/** Numbers in an `Int32Array` of doubling capacity; `array()` gives exactly what was pushed. */
export class GrowingInts {
  values = new Int32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Int32Array(2 * this.length);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  array(): Int32Array {
    return this.values.slice(0, this.length);
  }
}
