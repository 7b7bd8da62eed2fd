//! JSON written as it comes, never held: the formats here are too large for documents.

use std::io::{self, Write};

/// A string with its quotes.
pub(crate) fn string(text: &str) -> String {
    // A string always has a JSON form.
    serde_json::to_string(text).unwrap_or_else(|_| "\"\"".to_owned())
}

/// Nanoseconds as a number of `unit_digits` fewer decimal places: 3 for microseconds, 6 for
/// milliseconds. Exact, which a float would not be.
pub(crate) fn decimal(out: &mut dyn Write, ns: i64, unit_digits: u32) -> io::Result<()> {
    let unit = 10_u64.pow(unit_digits);
    let (whole, rest) = (ns.unsigned_abs() / unit, ns.unsigned_abs() % unit);
    let sign = if ns < 0 { "-" } else { "" };
    if rest == 0 {
        write!(out, "{sign}{whole}")
    } else {
        write!(out, "{sign}{whole}.{rest:0width$}", width = unit_digits as usize)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn decimals_are_exact() {
        for (ns, digits, text) in [
            (0, 3, "0"),
            (1, 3, "0.001"),
            (-1_500, 3, "-1.500"),
            (2_000_000, 6, "2"),
            (9_007_199_254_740_993, 6, "9007199254.740993"),
            (i64::MIN, 3, "-9223372036854775.808"),
        ] {
            let mut out = Vec::new();
            super::decimal(&mut out, ns, digits).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
