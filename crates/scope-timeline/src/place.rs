//! How people name a moment: a time, a share of the trace, a call, an event, a bookmark.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units;

/// A moment by name; [`crate::Timeline::resolve`] finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the first event.
    Start,
    /// After the last event.
    End,
    /// A time since the start of recording, ns; what was found out before it is negative. Everything
    /// that happened up to then, events at that very time included, has happened.
    Time(i64),
    /// A share of the duration, in units of 10⁻⁹.
    Share(u32),
    /// Just after the call with this id began.
    Call(u64),
    /// Just after the event with this number.
    Event(u64),
    /// A moment that somebody gave a name.
    Bookmark(String),
}

/// All of the trace, as [`Place::Share`] counts.
pub(crate) const WHOLE: u32 = 1_000_000_000;

/// Named moments of one trace: the numbers of the events that come next there. Kept by the caller,
/// as JSON for example: a map of names and numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bookmarks(pub BTreeMap<String, u64>);

/// Text that names no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct PlaceError {
    why: String,
}

impl FromStr for Place {
    type Err = PlaceError;

    /// Reads `1.5s`, `250ms`, `-3us`, `37%`, `call:ID`, `event:N` or `#N`, `@NAME` or `mark:NAME`, `start`
    /// or `end`.
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let text = text.trim();
        let wrong = |why: &str| PlaceError { why: why.to_owned() };
        let number = |digits: &str, why| digits.parse().map_err(|_| wrong(why));
        if text == "start" {
            return Ok(Self::Start);
        }
        if text == "end" {
            return Ok(Self::End);
        }
        // A shell may take a # for the start of a comment.
        if let Some(event) = text.strip_prefix("event:").or_else(|| text.strip_prefix('#')) {
            return Ok(Self::Event(number(event, "not an event; write for example event:1200")?));
        }
        if let Some(id) = text.strip_prefix("call:") {
            return Ok(Self::Call(number(id, "not a call; write for example call:1200")?));
        }
        if let Some(name) = text.strip_prefix('@').or_else(|| text.strip_prefix("mark:")) {
            if name.is_empty() {
                return Err(wrong("not a bookmark; write for example @slow"));
            }
            return Ok(Self::Bookmark(name.to_owned()));
        }
        if let Some(share) = text.strip_suffix('%') {
            let share = units::scaled(share.trim_end(), u64::from(WHOLE) / 100)
                .and_then(|share| u32::try_from(share).ok())
                .filter(|share| *share <= WHOLE);
            return share.map(Self::Share).ok_or_else(|| wrong("not a share; write 0% to 100%"));
        }
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let ns = units::time_ns(digits).ok().and_then(|ns| i64::try_from(ns).ok());
        ns.map(|ns| Self::Time(if negative { -ns } else { ns })).ok_or_else(|| {
            wrong(
                "not a moment; write a time (1.5s, 250ms), 37%, call:ID, event:N, @BOOKMARK, start or end",
            )
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::End => f.write_str("end"),
            Self::Time(ns) => write!(f, "{ns}ns"),
            Self::Share(share) => {
                let percent = f64::from(*share) / f64::from(WHOLE / 100);
                write!(f, "{percent}%")
            }
            Self::Call(id) => write!(f, "call:{id}"),
            Self::Event(event) => write!(f, "#{event}"),
            Self::Bookmark(name) => write!(f, "@{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn every_form_is_read_and_written() {
        for (text, place) in [
            ("start", Place::Start),
            ("end", Place::End),
            ("1.000000001s", Place::Time(1_000_000_001)),
            ("250ms", Place::Time(250_000_000)),
            ("-5ns", Place::Time(-5)),
            ("37%", Place::Share(370_000_000)),
            ("0.5 %", Place::Share(5_000_000)),
            ("100%", Place::Share(1_000_000_000)),
            ("call:12", Place::Call(12)),
            ("#0", Place::Event(0)),
            ("event:7", Place::Event(7)),
            ("@slow", Place::Bookmark("slow".to_owned())),
            ("mark:slow one", Place::Bookmark("slow one".to_owned())),
        ] {
            assert_eq!(text.parse::<Place>().unwrap(), place, "{text}");
            assert_eq!(place.to_string().parse::<Place>().unwrap(), place, "{place}");
        }
    }

    #[test]
    fn what_names_no_moment_is_refused() {
        for text in [
            "", "soon", "101%", "-1%", "%", "#", "#-1", "event:", "call:", "call:x", "--1s", "@",
            "mark:", "1 day",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
