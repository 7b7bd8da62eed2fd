//! Names: demangling, and the shorter forms that a person types for a long name.

use std::fmt;

use cpp_demangle::DemangleOptions;

use crate::glob::Glob;

/// Longest linkage name that is demangled, and longest name that may come out.
const LIMIT: usize = 32 << 10;

/// The readable name of a linkage name: Rust (legacy without its hash, and v0), C++ with parameters
/// and without return type. What is not mangled comes back as it is.
#[must_use]
pub fn demangle(symbol: &str) -> String {
    if symbol.len() > LIMIT {
        return symbol.to_owned();
    }
    if let Ok(rust) = rustc_demangle::try_demangle(symbol) {
        let mut name = Bounded::default();
        if fmt::write(&mut name, format_args!("{rust:#}")).is_ok() {
            return name.0;
        }
    } else if symbol.starts_with("_Z") || symbol.starts_with("__Z") {
        let parsed = cpp_demangle::Symbol::new(symbol).ok();
        let mut name = Bounded::default();
        let options = DemangleOptions::new().no_return_type();
        if let Some(parsed) = parsed
            && parsed.structured_demangle(&mut name, &options).is_ok()
        {
            return name.0;
        }
    }
    symbol.to_owned()
}

/// A string that refuses to grow beyond [`LIMIT`]: short mangled names can stand for huge ones.
#[derive(Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LIMIT {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// Whether a pattern names a function: its whole readable name, or the name without parameters or
/// generics; or the end of those from any `::` on. A pattern without `::` is held against the last
/// segment, so that `parse*` is `mycrate::module::parse_line` but not all of `mycrate::parser`.
#[must_use]
pub fn matches(pattern: &Glob, name: &str) -> bool {
    if pattern.matches(name) {
        return true;
    }
    let qualified = pattern.pattern().contains("::");
    let fits = |form: &str| {
        let starts = segment_starts(form);
        if qualified {
            starts.iter().any(|start| pattern.matches(&form[*start..]))
        } else {
            pattern.matches(form)
                || starts.last().is_some_and(|start| pattern.matches(&form[*start..]))
        }
    };
    fits(name) || short_forms(name).iter().any(|form| fits(form))
}

/// The last segment of a name, without generics and parameters.
#[must_use]
pub fn last_segment(name: &str) -> String {
    let form = short_forms(name).into_iter().next().unwrap_or_else(|| name.to_owned());
    let start = segment_starts(&form).last().copied().unwrap_or(0);
    form[start..].to_owned()
}

/// The names that a pattern which matches none may have meant: at most five, the best first.
#[must_use]
pub fn nearest<'a>(pattern: &Glob, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    const SHOWN: usize = 5;
    /// Names less alike than this are no help.
    const ALIKE: f64 = 0.6;
    let wanted: String = pattern.pattern().replace(['*', '?'], "").to_lowercase();
    let wanted_last = last_segment(&wanted);
    let alike = |wanted: &str, name: &str| {
        // Texts of very different length cannot be alike enough, and comparing them is slow.
        let (short, long) = (wanted.len().min(name.len()), wanted.len().max(name.len()));
        if (short as f64) < long as f64 * ALIKE {
            return 0.0;
        }
        strsim::normalized_damerau_levenshtein(wanted, name)
    };
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| {
            let lower = name.to_lowercase();
            let last = last_segment(&lower);
            (alike(&wanted, &lower).max(alike(&wanted_last, &last)), name)
        })
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(SHOWN).map(|(_, name)| name.to_owned()).collect()
}

/// The name without generics and parameters. `<Type as Trait>::method` has two such forms.
fn short_forms(name: &str) -> Vec<String> {
    if let Some(inside) = name.strip_prefix('<')
        && let Some(end) = closing(inside)
    {
        let (this, rest) = (&inside[..end], &inside[end + 1..]);
        let halves = match split_as(this) {
            Some((this, of)) => vec![this, of],
            None => vec![this],
        };
        return halves.iter().map(|half| plain(&format!("{}{rest}", plain(half)))).collect();
    }
    vec![plain(name)]
}

/// Where the segments between `::` begin; those inside brackets do not count.
fn segment_starts(name: &str) -> Vec<usize> {
    let bytes = name.as_bytes();
    let mut starts = vec![0];
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        at += match bytes[at] {
            _ if operator_length(name, at) > 0 => operator_length(name, at),
            b'-' if bytes.get(at + 1) == Some(&b'>') => 2,
            b'<' | b'(' | b'[' | b'{' => {
                depth += 1;
                1
            }
            b'>' | b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                1
            }
            b':' if depth == 0 && bytes.get(at + 1) == Some(&b':') => {
                starts.push(at + 2);
                2
            }
            _ => 1,
        };
    }
    starts
}

/// Drops `<…>`, `::<…>` and what follows the name proper (parameters, ` const`, ` [clone …]`).
fn plain(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut kept = Vec::with_capacity(bytes.len());
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        let operator = operator_length(name, at);
        let step = match bytes[at] {
            _ if operator > 0 => operator,
            b'-' if bytes.get(at + 1) == Some(&b'>') => 2,
            b'<' => {
                if depth == 0 && kept.ends_with(b"::") {
                    kept.truncate(kept.len() - 2);
                }
                depth += 1;
                at += 1;
                continue;
            }
            b'>' if depth > 0 => {
                depth -= 1;
                at += 1;
                continue;
            }
            b'(' if depth == 0 => {
                const ANONYMOUS: &str = "(anonymous namespace)";
                if !name[at..].starts_with(ANONYMOUS) {
                    break;
                }
                ANONYMOUS.len()
            }
            b' ' if depth == 0 && name[at..].starts_with(" [clone") => break,
            _ => 1,
        };
        if depth == 0 {
            kept.extend_from_slice(&bytes[at..at + step]);
        }
        at += step;
    }
    // Cut only at ASCII bytes, so it is still UTF-8.
    String::from_utf8_lossy(&kept).trim_end().to_owned()
}

/// Position of the `>` that closes a `<` before `text`.
fn closing(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' if depth == 0 => return Some(at),
            b'>' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Splits `Type as Trait` at the ` as ` outside brackets.
fn split_as(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'<' | b'(' | b'[' => depth += 1,
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' | b')' | b']' => depth = depth.saturating_sub(1),
            b' ' if depth == 0 && text[at..].starts_with(" as ") => {
                return Some((&text[..at], &text[at + 4..]));
            }
            _ => {}
        }
    }
    None
}

/// Length of a C++ operator name at a position, whose brackets are none; 0 where there is none.
fn operator_length(name: &str, at: usize) -> usize {
    const WORD: &str = "operator";
    if name.as_bytes()[at] != b'o' {
        return 0;
    }
    let Some(after) = name.get(at..).and_then(|rest| rest.strip_prefix(WORD)) else { return 0 };
    if at > 0
        && (name.as_bytes()[at - 1].is_ascii_alphanumeric() || name.as_bytes()[at - 1] == b'_')
    {
        return 0;
    }
    let signs = ["<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "<", ">", "()", "[]"];
    let sign = signs.iter().find(|sign| after.starts_with(**sign));
    sign.map_or(0, |sign| WORD.len() + sign.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_manglings_are_readable() {
        for (symbol, name) in [
            ("main", "main"),
            (
                "_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE",
                "core::fmt::Formatter::write_str",
            ),
            ("_RNvCs1234_7mycrate4main", "mycrate::main"),
            ("_RINvCs1234_7mycrate3fooxE", "mycrate::foo::<i64>"),
            ("_ZN2ns3Foo3barEi", "ns::Foo::bar(int)"),
            ("_Z3addIiET_S0_S0_", "add<int>(int, int)"),
            ("_Z?notmangled", "_Z?notmangled"),
            ("foo.constprop.0", "foo.constprop.0"),
        ] {
            assert_eq!(demangle(symbol), name, "{symbol}");
        }
    }

    #[test]
    fn a_short_pattern_finds_the_last_segment() {
        for (pattern, name, fits) in [
            ("parse*", "mycrate::module::parse_line", true),
            ("parse*", "mycrate::parser::run", false),
            ("mycrate*", "mycrate::parser::run", true),
            ("parser::*", "mycrate::parser::run", true),
            ("module::parse_line", "mycrate::module::parse_line", true),
            ("odule::parse_line", "mycrate::module::parse_line", false),
            ("map", "core::option::Option<T>::map::<u8>", true),
            ("Option::map", "core::option::Option<T>::map::<u8>", true),
            ("Type::fmt", "<mycrate::Type<u8> as core::fmt::Display>::fmt", true),
            ("Display::fmt", "<mycrate::Type<u8> as core::fmt::Display>::fmt", true),
            ("fmt", "<mycrate::Type as core::fmt::Display>::fmt", true),
            ("bar", "ns::Foo::bar(std::vector<int>, int)", true),
            ("add", "add<int>(int, int)", true),
            ("operator<<", "ns::operator<< <char>(int)", true),
            ("operator()", "ns::Foo::operator()(int) const", true),
            ("run", "(anonymous namespace)::run(int)", true),
            ("call", "<fn(u8) -> u8 as core::ops::FnOnce<(u8,)>>::call", true),
            ("work::{{closure}}", "app::work::{{closure}}", true),
        ] {
            assert_eq!(matches(&Glob::new(pattern), name), fits, "{pattern} on {name}");
        }
    }

    #[test]
    fn the_last_segment_has_no_generics() {
        assert_eq!(last_segment("core::option::Option<T>::map::<u8>"), "map");
        assert_eq!(last_segment("ns::Foo::bar(int)"), "bar");
        assert_eq!(last_segment("main"), "main");
    }
}
