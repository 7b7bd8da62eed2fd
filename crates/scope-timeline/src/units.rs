//! Times and other numbers as people write and read them.
//!
//! Times are read exactly: as integers, never as floating point, so that a time that was printed to
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

/// A duration in the unit that leaves one to three digits before the point: `812ns`, `1.23ms`.
#[must_use]
pub fn duration(ns: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000, "us"), (1_000_000, "ms"), (1_000_000_000, "s")];
    if ns < 1_000 {
        return format!("{ns}ns");
    }
    // A value that would round up to 1000 of its unit is shown in the next one.
    for (unit, name) in UNITS {
        let (value, digits) = three_digits(ns, unit);
        if value < 1_000.0 {
            return format!("{value:.digits$}{name}");
        }
    }
    let seconds = ns / 1_000_000_000;
    match seconds {
        0..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// A moment of a trace, relative to its start, to the nanosecond: `1.000000250s`. Given back as an
/// argument it is the same moment.
#[must_use]
pub fn moment(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    format!("{sign}{}.{:09}s", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// A size in powers of 1024: `812 B`, `1.50 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB"), (1 << 40, "TiB")];
    if bytes < 1 << 10 {
        return format!("{bytes} B");
    }
    for (unit, name) in UNITS {
        let (value, digits) = three_digits(bytes, unit);
        if value < 1_000.0 || name == "TiB" {
            return format!("{value:.digits$} {name}");
        }
    }
    format!("{bytes} B")
}

/// A count with its digits in groups of three: `1,234,567`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 call`, `2 calls`.
#[must_use]
pub fn counted(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// `part` of `whole` in percent; `-` when there is no whole.
#[must_use]
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1}%", part as f64 * 100.0 / whole as f64)
}

/// `value / unit` rounded to three digits, and how many of them stand behind the point.
fn three_digits(value: u64, unit: u64) -> (f64, usize) {
    let scaled = value as f64 / unit as f64;
    for (limit, digits) in [(10.0, 2), (100.0, 1)] {
        let factor = 10_f64.powi(digits);
        let rounded = (scaled * factor).round() / factor;
        if rounded < limit {
            return (rounded, digits as usize);
        }
    }
    (scaled.round(), 0)
}

#[cfg(test)]
mod tests {
    use super::{count, counted, duration, moment, percent, size, time_ns};

    #[test]
    fn durations_have_a_unit_and_three_digits() {
        for (ns, text) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1.00us"),
            (9_996, "10.0us"),
            (12_340, "12.3us"),
            (999_499, "999us"),
            (999_500, "1.00ms"),
            (1_500_000_000, "1.50s"),
            (999_400_000_000, "999s"),
            (1_200_000_000_000, "20m00s"),
            (7_380_000_000_000, "2h03m"),
            (u64::MAX, "5124095h34m"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }

    #[test]
    fn a_moment_keeps_every_nanosecond() {
        assert_eq!(moment(1_000_000_250), "1.000000250s");
        assert_eq!(moment(-5), "-0.000000005s");
        assert_eq!(time_ns(&moment(1_000_000_250)), Ok(1_000_000_250));
    }

    #[test]
    fn sizes_are_iec() {
        for (bytes, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.00 KiB"),
            (1_023_900, "0.98 MiB"),
            (8 << 20, "8.00 MiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "call"), "1 call");
        assert_eq!(counted(2, "call"), "2 calls");
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(0, 0), "-");
    }
}
