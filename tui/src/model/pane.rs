//! The panes.

/// The panes under the timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pane {
    /// The calls around the focus.
    #[default]
    Calls,
    /// The source of the focused function.
    Source,
    /// All threads at the moment.
    State,
    /// All functions.
    Functions,
    /// Marks and breakpoints.
    Marks,
    /// Statements in SQL and their answers.
    Queries,
    /// How the recording is getting on.
    Health,
}

impl Pane {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Calls,
        Self::Source,
        Self::State,
        Self::Functions,
        Self::Marks,
        Self::Queries,
        Self::Health,
    ];

    /// Its heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Calls => "Calls",
            Self::Source => "Source",
            Self::State => "State",
            Self::Functions => "Functions",
            Self::Marks => "Marks",
            Self::Queries => "Queries",
            Self::Health => "Health",
        }
    }
}
