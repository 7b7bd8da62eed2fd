//! Values of arguments: times and sizes.
//!
//! Times and sizes are exact: they are read as integers, never as floating point, so that a time
//! printed by `scope dump` selects that event when it is given back.

use std::time::Duration;

use scope_symbols::sources::SourceMap;
use scope_timeline::units;

use crate::record::trigger::Condition;

/// A time such as `2s`, `1.5ms`, `250us`, `1m`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    units::time_ns(text).map(Duration::from_nanos)
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
    match units::scaled(number, 1 << shift) {
        None => Err("not a size; write for example 512K, 8M or 1G".to_owned()),
        Some(0) => Err("must be more than 0".to_owned()),
        Some(bytes) => Ok(bytes),
    }
}

/// A rule such as `/build=/home/me/src`.
pub fn source_rule(text: &str) -> Result<String, String> {
    let added = SourceMap::default().add(text);
    added.map(|()| text.to_owned()).map_err(|error| error.to_string())
}

/// The id of a call, as commands print it: `1200` or `call:1200`.
pub fn call(text: &str) -> Result<u64, String> {
    let id = text.strip_prefix("call:").unwrap_or(text);
    id.parse().map_err(|_| "not the id of a call; write for example 1200".to_owned())
}

/// The size of a hot segment: a page to 1 GiB.
pub fn segment_size(text: &str) -> Result<u32, String> {
    let bytes = size(text)?;
    let bytes = u32::try_from(bytes).ok().filter(|bytes| (4096..=1 << 30).contains(bytes));
    bytes.ok_or_else(|| "must be between 4K and 1G".to_owned())
}

/// A function, or a function and a time: `db::commit`, `db::commit>50ms`. Names may hold `>` themselves.
pub fn trigger(text: &str) -> Result<Condition, String> {
    let condition = |function: &str, longer_than| match function.trim() {
        "" => Err("no function; write for example 'db::commit>50ms'".to_owned()),
        function => Ok(Condition { function: function.to_owned(), longer_than }),
    };
    match text.rsplit_once('>') {
        Some((function, time))
            if time.trim().starts_with(|c: char| c.is_ascii_digit() || c == '.') =>
        {
            condition(function, Some(duration(time.trim())?))
        }
        _ => condition(text, None),
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::{Condition, duration, size, trigger};

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
    fn a_trigger_is_a_function_and_perhaps_a_time() {
        for (text, function, ms) in [
            ("commit", "commit", None),
            ("db::commit>50ms", "db::commit", Some(50)),
            ("db::commit > 1s", "db::commit", Some(1000)),
            ("Vec<u8>", "Vec<u8>", None),
            ("get<T> > 2ms", "get<T>", Some(2)),
            ("operator>", "operator>", None),
        ] {
            let longer_than = ms.map(std::time::Duration::from_millis);
            assert_eq!(trigger(text), Ok(Condition { function: function.into(), longer_than }));
        }
        for text in ["", ">5ms", "f>5 weeks"] {
            assert!(trigger(text).is_err(), "{text}");
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
