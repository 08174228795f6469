import { parseQuantity, QuantityError, type Quantity } from '#lib/kube/quantity.ts';

/** undefined where the text is no quantity. */
export function quantityOrUndefined(text: string): Quantity | undefined {
  try {
    return parseQuantity(text);
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}

/** Whole units, a fraction rounded up: bytes. undefined where the text is no quantity. */
export const parseWholeQuantity = (text: string): number | undefined => quantityOrUndefined(text)?.value();
