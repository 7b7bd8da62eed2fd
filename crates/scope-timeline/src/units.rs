//! Reading times as people write them.
//!
//! Exact: numbers are read as integers, never as floating point, so that a time that was printed to
//! the nanosecond means the same moment when it is given back.

/// A time such as `2s`, `1.5ms`, `250us`, `1m`, in ns; a bare number is seconds.
///
/// # Errors
///
/// What is wrong and what to write instead, as a clause for a person.
pub fn time_ns(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let unit_ns = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(format!("no unit `{unit}`; write for example 2s, 500ms, 10us or 1m")),
    };
    scaled(number, unit_ns)
        .ok_or_else(|| "not a time; write for example 2s, 500ms, 10us or 1m".to_owned())
}

/// `number` (decimal digits, with or without a fraction) times `unit`, cut to an integer; `None` for
/// what is no such number or too large.
#[must_use]
pub fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 18 {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = u128::from(whole) * u128::from(unit);
    if !fraction.is_empty() {
        let digits: u64 = fraction.parse().ok()?;
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        total += u128::from(digits) * u128::from(unit) / scale;
    }
    u64::try_from(total).ok()
}
