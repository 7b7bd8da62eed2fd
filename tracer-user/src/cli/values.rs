//! Values of arguments: times and sizes.
//!
//! Times and sizes are exact: they are read as integers, never as floating point, so that a time
//! printed by `scope dump` selects that event when it is given back.

use std::time::Duration;

/// A time such as `2s`, `1.5ms`, `250us`, `1m`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let unit_ns: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(format!("no unit `{unit}`; write for example 2s, 500ms, 10us or 1m")),
    };
    let ns = scaled(number, unit_ns)
        .ok_or_else(|| "not a time; write for example 2s, 500ms, 10us or 1m".to_owned())?;
    Ok(Duration::from_nanos(ns))
}

/// A size in bytes such as `65536`, `512K`, `8M`, `1GiB`; units are powers of 1024.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => return Err(format!("no unit `{unit}`; write for example 512K, 8M or 1G")),
    };
    match scaled(number, 1 << shift) {
        None => Err("not a size; write for example 512K, 8M or 1G".to_owned()),
        Some(0) => Err("must be more than 0".to_owned()),
        Some(bytes) => Ok(bytes),
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// `number` (decimal, with or without fraction) times `unit`, cut to an integer.
fn scaled(number: &str, unit: u64) -> Option<u64> {
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

#[cfg(test)]
mod tests {
    use super::{duration, size};

    #[test]
    fn times_are_exact() {
        for (text, ns) in [
            ("2s", 2_000_000_000),
            ("500ms", 500_000_000),
            ("1.000000001s", 1_000_000_001),
            ("10us", 10_000),
            ("10 µs", 10_000),
            ("7ns", 7),
            (".5s", 500_000_000),
            ("3", 3_000_000_000),
            ("1m", 60_000_000_000),
            ("2h", 7_200_000_000_000),
        ] {
            assert_eq!(duration(text).unwrap().as_nanos(), ns, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "s", "2 fortnights", "-1s", "1.2.3s", "1e9", "99999999999999999999s", "."]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in
            [("65536", 65_536), ("8M", 8 << 20), ("1GiB", 1 << 30), ("1.5k", 1_536)]
        {
            assert_eq!(size(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "0", "8X", "-8M", "99999999999G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
