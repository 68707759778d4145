//! Sequences from a load-exclusive to its store-exclusive, in aarch64 code. Pure, so that it is checked on
//! every machine.
#![cfg_attr(not(target_arch = "aarch64"), allow(dead_code))] // there, only the checks use it

/// The longest sequence looked at, in instructions. Compilers and libraries write loops of three to six.
pub(crate) const LONGEST: usize = 16;

/// LDXR, LDAXR, LDXP and their narrow forms; not CASP, which shares their class.
pub(crate) fn is_load(code: u32) -> bool {
    code & 0x3fc0_0000 == 0x0840_0000 && !is_pair_swap(code)
}

/// STXR, STLXR, STXP and their narrow forms.
fn is_store(code: u32) -> bool {
    code & 0x3fc0_0000 == 0x0800_0000 && !is_pair_swap(code)
}

/// CASP: one instruction by itself.
fn is_pair_swap(code: u32) -> bool {
    code & 0xbf20_0000 == 0x0820_0000
}

/// How far a conditional branch jumps, in instructions.
fn branch(code: u32) -> Option<i64> {
    let field = |from: u32, bits: u32| i64::from((code >> from << (32 - bits)) as i32 >> (32 - bits));
    let conditional = code & 0xff00_0000 == 0x5400_0000; // B.cond, BC.cond
    let on_zero = code & 0x7e00_0000 == 0x3400_0000; // CBZ, CBNZ
    let on_bit = code & 0x7e00_0000 == 0x3600_0000; // TBZ, TBNZ
    if conditional || on_zero {
        Some(field(5, 19))
    } else if on_bit {
        Some(field(5, 14))
    } else {
        None
    }
}

/// Where the sequence that begins with the first instruction can be left, in instructions from there; empty
/// if it does not begin one.
pub(crate) fn ends(code: &[u32]) -> Vec<i64> {
    if !code.first().is_some_and(|&first| is_load(first)) {
        return Vec::new();
    }
    let mut ends = Vec::new();
    for (index, &word) in code.iter().enumerate().skip(1) {
        let here = index as i64;
        if is_store(word) {
            ends.push(here + 1);
            ends.retain(|&end| end < 0 || end > here);
            ends.sort_unstable();
            ends.dedup();
            return ends;
        }
        if let Some(jump) = branch(word) {
            ends.push(here + jump);
        }
    }
    // No store: whoever wrote this does not loop on it here.
    Vec::new()
}

/// Checks the decoding on code as assemblers write it.
pub(crate) fn check() {
    const LDXR: u32 = 0x885f_7c20; // ldxr w0, [x1]
    const LDAXR: u32 = 0xc85f_fc20; // ldaxr x0, [x1]
    const STXR: u32 = 0x8802_7c20; // stxr w2, w0, [x1]
    const STLXR: u32 = 0xc802_fc20; // stlxr w2, x0, [x1]
    const LDAR: u32 = 0xc8df_fc20; // ldar x0, [x1]
    const STLR: u32 = 0xc89f_fc20; // stlr x0, [x1]
    const CASAL: u32 = 0xc8e0_fc41; // casal x0, x1, [x2]
    const CASP: u32 = 0x4820_7c82; // casp x0, x1, x2, x3, [x4]
    const LDXP: u32 = 0xc87f_0440; // ldxp x0, x1, [x2]
    const STXP: u32 = 0xc823_0440; // stxp w3, x0, x1, [x2]
    const CMP: u32 = 0x6b03_001f; // cmp w0, w3
    const BNE_3: u32 = 0x5400_0061; // b.ne +3
    const CBNZ_BACK_3: u32 = 0x35ff_ffa2; // cbnz w2, -3
    assert!([LDXR, LDAXR, LDXP].into_iter().all(is_load));
    assert!([STXR, STLXR, STXP].into_iter().all(is_store));
    assert!(![STXR, STLXR, STXP, LDAR, STLR, CASAL, CASP, CMP].into_iter().any(is_load));
    assert!(![LDXR, LDAXR, LDXP, LDAR, STLR, CASAL, CASP, CMP].into_iter().any(is_store));
    assert_eq!((branch(BNE_3), branch(CBNZ_BACK_3), branch(CMP)), (Some(3), Some(-3), None));
    assert_eq!(ends(&[LDXR, STXR, CBNZ_BACK_3]), [2]);
    assert_eq!(ends(&[LDAXR, CMP, BNE_3, STLXR, CBNZ_BACK_3]), [4, 5]);
    assert_eq!(ends(&[LDAR, STXR]), [0_i64; 0]);
    assert_eq!(ends(&[LDXR, CMP, CMP]), [0_i64; 0]);
}
