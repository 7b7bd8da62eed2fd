//! Names of nodes that survive edits.
//!
//! A node's *path* is the file as the project knows it, the named constructs around the node
//! (modules, impls, classes, functions), then kind and ordinal inside the innermost of them:
//!
//! ```text
//! src/lib.rs::net::<Conn as Read>::read/call_expression[3]
//! ```
//!
//! A [`NodeId`] is the XXH3-128 of that path (seed 0, UTF-8). It holds no position and nothing of
//! the text of a body: edits elsewhere in the file, a move of the function within its parent,
//! another layout and another name of a local leave it alone. What it cannot survive is a change
//! of the path itself: another name of the function or its module, and, for nodes inside a
//! function, another number of nodes of the same kind before it in that function. Nodes outside
//! functions count through the whole file.
//!
//! Functions of one path are told apart by what the compiler tells them apart by: `cfg`
//! attributes (always part of the path), C++ parameter types (always), then the conditions of
//! the preprocessor around them (without layout and comments) and their parameter lists, and only
//! at last by their order.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use twox_hash::XxHash3_128;

/// Names a construct across builds: equal ids are the same construct. 32 hexadecimal digits in
/// text and in serialised form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u128);

impl NodeId {
    /// The id of the node with this path.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        Self(XxHash3_128::oneshot(path.as_bytes()))
    }

    /// The id of the node of this kind and ordinal inside the construct with this path; `buffer`
    /// is scratch.
    pub(crate) fn below(path: &str, kind: &str, ordinal: u32, buffer: &mut Vec<u8>) -> Self {
        buffer.clear();
        buffer.extend_from_slice(path.as_bytes());
        buffer.push(b'/');
        buffer.extend_from_slice(kind.as_bytes());
        buffer.push(b'[');
        let mut digits = [0; 10];
        let mut at = digits.len();
        let mut rest = ordinal;
        while rest > 0 || at == digits.len() {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        buffer.extend_from_slice(&digits[at..]);
        buffer.push(b']');
        Self(XxHash3_128::oneshot(buffer))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

/// The text is not 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node id is 32 hexadecimal digits")]
pub struct NotANodeId;

impl FromStr for NodeId {
    type Err = NotANodeId;

    fn from_str(text: &str) -> Result<Self, NotANodeId> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        value.map(Self).ok_or(NotANodeId)
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Fingerprint of a construct's text: see [`text_hash`]. Serialised like a [`NodeId`].
pub type TextHash = NodeId;

/// The fingerprint of a text, the same for every layout of it.
///
/// White space is dropped, but for one blank between two word characters; what stands in `skip`
/// (comments) is dropped, what stands in `verbatim` (literals) is taken as it is. Both are byte
/// ranges in ascending order relative to `text`. A reformatted body has the same hash unless the
/// formatter changed tokens (added a trailing comma, say); any other change of code gives another,
/// also another name of a local or parameter.
pub fn text_hash(
    text: &[u8],
    pieces: impl Iterator<Item = (u32, u32, bool)>,
    buffer: &mut Vec<u8>,
) -> TextHash {
    buffer.clear();
    let mut at = 0;
    for (start, end, verbatim) in pieces {
        let (start, end) = (start as usize, end as usize);
        if start < at || end > text.len() || start > end {
            continue;
        }
        squeeze(&text[at..start], buffer);
        if verbatim {
            buffer.extend_from_slice(&text[start..end]);
        }
        at = end;
    }
    squeeze(&text[at..], buffer);
    NodeId(XxHash3_128::oneshot(buffer))
}

/// Appends the text without its white space, but for one blank between two words.
pub(crate) fn squeeze(text: &[u8], out: &mut Vec<u8>) {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let mut blank = true;
    for &byte in text {
        if byte.is_ascii_whitespace() {
            blank = true;
            continue;
        }
        if blank && word(byte) && out.last().is_some_and(|last| word(*last)) {
            out.push(b' ');
        }
        blank = false;
        out.push(byte);
    }
}
