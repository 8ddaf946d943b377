//! The zigzag varints inside records.

use bytes::{Buf, BufMut};

/// Writes a signed number of up to 64 bits.
pub(super) fn put(out: &mut impl BufMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.put_u8((rest as u8) | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

/// Bytes that [`put`] takes for a number.
pub(super) fn size(value: i64) -> usize {
    let bits = 64 - (((value << 1) ^ (value >> 63)) as u64 | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Reads a signed number; `None` when it is cut or longer than ten bytes.
pub(super) fn get(from: &mut impl Buf) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let byte = from.try_get_u8().ok()?;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

/// Reads a number that must fit 32 bits.
pub(super) fn get_i32(from: &mut impl Buf) -> Option<i32> {
    i32::try_from(get(from)?).ok()
}
