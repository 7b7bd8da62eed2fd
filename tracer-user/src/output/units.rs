//! Numbers for people: durations with units, sizes in IEC units, counts with grouped digits.

/// A duration in the unit that leaves one to three digits before the point: `812ns`, `1.23ms`.
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
pub fn moment(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    format!("{sign}{}.{:09}s", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// Text fit for a terminal: control characters are replaced, since names come from files nobody
/// vouches for.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A size in powers of 1024: `812 B`, `1.50 MiB`.
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
pub fn counted(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// A line of a file, by the end of its path.
pub fn place(file: &str, line: u32) -> String {
    format!("{}:{line}", file.rsplit('/').next().unwrap_or(file))
}

/// `part` of `whole` in percent; `-` when there is no whole.
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
    use super::{count, counted, duration, moment, percent, size};

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
        assert_eq!(
            crate::cli::values::duration(&moment(1_000_000_250)).unwrap().as_nanos(),
            1_000_000_250
        );
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
