//! What syntax a call stands in: the kinds of nodes around it, and the patterns found there.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError};

use rustc_hash::FxHashMap;
use scope_source::{AstId, Language, Patterns, SourceFile};

use crate::{CallSite, CodeError, CodeMap, SourceNumber};

/// The syntax around a call: its call expression, and the nodes around that up to the function it is
/// written in, that one included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constructs {
    /// Kinds of these nodes, as the language's grammar names them, the call expression's first.
    pub kinds: Vec<Box<str>>,
    /// Ids of the patterns that one of these nodes matches, sorted.
    pub patterns: Vec<Box<str>>,
}

/// The patterns found in sources, by node.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// By name of the language: preparing them takes longer than looking for them.
    patterns: FxHashMap<&'static str, Patterns>,
    found: FxHashMap<SourceNumber, Arc<FoundIn>>,
}

type FoundIn = FxHashMap<AstId, Vec<Box<str>>>;

impl CodeMap {
    /// The syntax around a call; `None` where no call expression is known to have made it.
    ///
    /// # Errors
    ///
    /// When a source is damaged.
    pub fn constructs(&self, site: &CallSite) -> Result<Option<Constructs>, CodeError> {
        let tied = site.tied_frame().filter(|_| site.reason.is_none());
        let Some((source, node)) = tied.and_then(|frame| frame.source.zip(frame.node)) else {
            return Ok(None);
        };
        let Some(file) = self.parsed(source)? else { return Ok(None) };
        let findings = self.findings(source, &file)?;
        let function = node.function.and_then(|index| file.functions().get(index as usize));
        let mut constructs = Constructs::default();
        for around in std::iter::once(node.node).chain(file.ast().ancestors(node.node)) {
            constructs.kinds.push(file.kind_of(around).into());
            constructs.patterns.extend(findings.get(&around).into_iter().flatten().cloned());
            if function.is_none_or(|function| function.node == around) {
                break;
            }
        }
        constructs.patterns.sort_unstable();
        constructs.patterns.dedup();
        Ok(Some(constructs))
    }

    /// All kinds and patterns that there are in the languages of the sources.
    ///
    /// # Errors
    ///
    /// When the sources are damaged.
    pub fn known_constructs(&self) -> Result<Constructs, CodeError> {
        let entries = self.sources()?.entries().iter();
        let names: BTreeSet<&str> = entries.map(|entry| &*entry.language).collect();
        let mut known = Constructs::default();
        for language in names.into_iter().filter_map(Language::by_name) {
            let kinds = 0..u16::try_from(language.grammar().node_kind_count()).unwrap_or(u16::MAX);
            let named = kinds.filter(|kind| language.is_named(*kind));
            known.kinds.extend(named.map(|kind| language.kind_name(kind).into()));
            let patterns = Patterns::builtin_of(language)?;
            known.patterns.extend(patterns.iter().map(|pattern| pattern.id.clone()));
        }
        Ok(known)
    }

    fn findings(&self, source: SourceNumber, file: &SourceFile) -> Result<Arc<FoundIn>, CodeError> {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        let Findings { patterns, found } = &mut *findings;
        if let Some(known) = found.get(&source) {
            return Ok(Arc::clone(known));
        }
        let language = file.language();
        let patterns = match patterns.entry(language.name()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(Patterns::builtin_of(language)?),
        };
        let mut in_source = FoundIn::default();
        for finding in patterns.find(file) {
            in_source.entry(finding.node).or_default().push(finding.pattern);
        }
        let in_source = Arc::new(in_source);
        found.insert(source, Arc::clone(&in_source));
        Ok(in_source)
    }
}
