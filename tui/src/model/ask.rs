//! What the state asks for, and what it makes of the answers.

use super::prompt::{self, Prompt};
use super::{Answered, Ask, Asked, Failure, Model, Pane, Range};
use crate::focus::Focus;
use crate::query::hits::HitsQuery;
use crate::query::picture::{FlamesQuery, PictureQuery};
use crate::query::tree::TreeQuery;
use crate::query::{Answer, Query, Tree};
use crate::source::{LeftAt, SourceText};

/// A trace grows this often before what costs much is asked again.
const SELDOM: u64 = 8;

impl Model {
    /// The questions to ask now.
    pub fn ask(&mut self) -> Vec<Ask> {
        if self.travelling.is_none()
            && let Some(going) = self.waiting.pop_front()
        {
            self.travelling = Some(going);
            self.asked[0] = None;
        }
        let mut asks = Vec::new();
        for query in self.wanted() {
            let slot = query.slot();
            let (urgent, ask) = match &self.asked[slot] {
                Some(asked) if asked.query == query => {
                    let age = self.snapshot.saturating_sub(asked.snapshot);
                    (false, age >= self.patience(&query) && !asked.in_flight)
                }
                _ => (true, true),
            };
            if ask {
                let snapshot = self.snapshot;
                self.asked[slot] = Some(Asked { query: query.clone(), snapshot, in_flight: true });
                asks.push(Ask { query, urgent });
            }
        }
        asks
    }

    /// Time passed: what a recorder tells changes also where no events come.
    pub fn beat(&mut self) {
        let slot = Query::Health.slot();
        if !self.facts.complete {
            self.asked[slot].take_if(|asked| !asked.in_flight);
        }
    }

    /// Takes the answer to a question. One that is no longer asked is dropped; why a question has no
    /// answer is said.
    pub fn take(&mut self, query: Query, answer: Result<Answer, Failure>) {
        self.learn(query, answer);
        while let Some(key) = self.early.front().copied().filter(|key| !self.is_early(*key)) {
            self.early.pop_front();
            self.press(key);
        }
    }

    fn learn(&mut self, query: Query, answer: Result<Answer, Failure>) {
        let slot = query.slot();
        match &mut self.asked[slot] {
            Some(asked) if asked.query == query => asked.in_flight = false,
            _ => return,
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                if slot == 0 {
                    self.travelling = None;
                    self.waiting.clear();
                }
                match failure {
                    Failure::Interrupted => self.say("stopped"),
                    Failure::Error(why) => self.warn(why),
                }
                return;
            }
        };
        let answers = &mut self.answers;
        match answer {
            Answer::Travel(arrival) => self.arrive(arrival),
            Answer::States(value) => {
                for thread in value.iter() {
                    let name = thread.name.text();
                    if !name.is_empty() {
                        self.names.entry(thread.tid).or_insert(name);
                    }
                }
                answers.states = Some(Answered { query, value });
            }
            Answer::Tree(value) => {
                let depth = value.thread.as_ref().map_or(0, |thread| thread.stack.len());
                answers.tree = Some(Answered { query, value });
                if self.current_tree().is_some() {
                    self.focus.frame = self.focus.frame.min(depth.saturating_sub(1));
                }
            }
            Answer::Picture(value) => {
                for (tid, name) in &value.names {
                    self.names.insert(*tid, name.clone());
                }
                answers.picture = Some(Answered { query, value });
            }
            Answer::Bar(value) => {
                self.threads.clone_from(&value.threads);
                answers.bar = Some(Answered { query, value });
                if self.focus.tid.is_none_or(|tid| !self.threads.contains(&tid)) {
                    self.focus.tid = self.threads.first().copied();
                    self.jumps.step(self.focus);
                }
                self.show_lane();
            }
            Answer::Flames(value) => answers.flames = Some(Answered { query, value }),
            Answer::Call(value) => {
                let id = value.call.id;
                answers.call = Some(Answered { query, value });
                if self.zoom_to.take_if(|wanted| *wanted == id).is_some() {
                    self.zoom_call();
                }
            }
            Answer::Find(value) => answers.finds = Some(Answered { query, value }),
            Answer::Functions(value) => {
                answers.functions = Some(Answered { query, value });
                self.sort_functions();
            }
            Answer::Health(value) => answers.health = Some(Answered { query, value }),
            Answer::Hits(value) => answers.hits = Some(Answered { query, value }),
            Answer::Totals(value) => {
                answers.totals = Some(Answered { query, value });
                self.sort_functions();
            }
            Answer::Executions(value) => answers.executions = Some(Answered { query, value }),
            Answer::Source(value) => answers.source = Some(Answered { query, value }),
            Answer::Lines(value) => answers.lines = Some(Answered { query, value }),
        }
    }

    /// How often the trace has to grow before an answer is too old. What costs more the longer the
    /// trace is must not be asked all the time: the recorder works on the same machine.
    fn patience(&self, query: &Query) -> u64 {
        match query {
            Query::Call { id } => {
                let known = self.answers.call.as_ref().map(|answered| &answered.value);
                match known {
                    Some(view) if view.call.id == *id && view.ending.is_some() => u64::MAX,
                    _ => SELDOM,
                }
            }
            Query::Source { .. } => {
                // The recorder writes the code aside: what is not there may come.
                let missing = |text: &SourceText| text.node.is_none();
                let known = self.answers.source.as_ref().map(|answered| &answered.value);
                match known {
                    Some(Ok(text)) if !missing(text) => u64::MAX,
                    _ => SELDOM,
                }
            }
            Query::Functions | Query::Executions { .. } | Query::Hits(_) | Query::Lines { .. } => {
                SELDOM
            }
            // It is asked anew as time passes.
            Query::Health => u64::MAX,
            query if query.ages() => 1,
            _ => u64::MAX,
        }
    }

    /// The questions whose answers the screen shows, of each kind at most one.
    fn wanted(&self) -> Vec<Query> {
        let mut wanted = Vec::new();
        if let Some(going) = &self.travelling {
            wanted.push(self.travel_query(going));
        }
        let regions = self.regions();
        let shows = |pane| regions.panes.iter().any(|(shown, _)| *shown == pane);
        let Focus { moment, tid, .. } = self.focus;
        if shows(Pane::State) {
            wanted.push(Query::States { moment });
        }
        wanted.extend(self.tree_query());
        let columns = regions.lanes.width as usize;
        if columns > 0 {
            let Range { start_ns, end_ns } = self.range;
            let threads = self.visible_threads().to_vec();
            if !threads.is_empty() {
                let focus = tid.map(|tid| (tid, moment));
                let query = PictureQuery { start_ns, end_ns, columns, threads, focus };
                wanted.push(Query::Picture(query));
            }
            wanted.push(Query::Bar { columns });
            if let Some((_, condition)) = &self.searched {
                let condition = condition.clone();
                wanted.push(Query::Hits(HitsQuery { condition, start_ns, end_ns, columns }));
            }
            if let Some(tid) = tid
                && regions.flames.height > 0
            {
                wanted.push(Query::Flames(FlamesQuery { tid, start_ns, end_ns, columns }));
            }
        }
        if let Some(Prompt { kind: prompt::Kind::Find, text, .. }) = &self.prompt {
            wanted.push(Query::Find { text: text.clone() });
        }
        if shows(Pane::Source)
            && let Some(call) = self.current_tree().and_then(Tree::call)
        {
            let function = call.function;
            wanted.push(Query::Source { function, left_at: self.left_at() });
            wanted.push(Query::Lines { function });
        }
        if shows(Pane::Calls)
            && let Some(call) = self.current_tree().and_then(Tree::call)
        {
            wanted.push(Query::Call { id: call.id });
        }
        if shows(Pane::Health) {
            wanted.push(Query::Health);
        }
        if shows(Pane::Functions) {
            wanted.push(Query::Functions);
            if self.facts.complete {
                wanted.push(Query::Totals);
            }
            if let Some(of) = self.executions_of.clone() {
                wanted.push(Query::Executions { of });
            }
        }
        wanted
    }

    /// The call by which the focused one is left at the moment.
    fn left_at(&self) -> Option<LeftAt> {
        let tree = self.current_tree()?;
        let thread = tree.thread.as_ref()?;
        let inner = thread.stack.get(tree.frame? + 1)?;
        Some(LeftAt {
            pid: thread.pid,
            time_ns: inner.entered_ns,
            return_address: inner.return_address,
            callee: inner.function,
        })
    }

    /// Whether a question was answered, or has no answer.
    pub(super) fn is_settled(&self, query: &Query) -> bool {
        let asked = self.asked[query.slot()].as_ref();
        asked.is_some_and(|asked| asked.query == *query && !asked.in_flight)
    }

    /// The question of the calls around the focus.
    pub(super) fn tree_query(&self) -> Option<Query> {
        let Focus { moment, tid, frame, .. } = self.focus;
        let rows = usize::from(self.size.1);
        let (before, after) = (rows / 2 + 2, rows);
        tid.map(|tid| Query::Tree(TreeQuery { tid, moment, frame, before, after }))
    }
}
