//! What was measured, and what it should be.

use crate::figure::Figure;

pub struct Group {
    pub name: &'static str,
    pub rows: Vec<Row>,
}

pub struct Row {
    pub what: String,
    pub ours: Option<Figure>,
    /// What ours is held against.
    pub theirs: Option<(String, Figure)>,
    /// What the goal is about; why there is nothing, where it could not be had.
    pub measured: Result<Figure, String>,
    pub goal: Option<Goal>,
    /// Others, to be seen beside it.
    pub beside: Vec<(String, Figure)>,
}

#[derive(Clone, Copy)]
pub enum Goal {
    AtMost(Figure),
    AtLeast(Figure),
}

impl Goal {
    /// How much better than the goal it is: 1 is the goal itself, 2 twice as good.
    pub fn reached_by(self, measured: Figure) -> f64 {
        match self {
            Self::AtMost(goal) => goal.number() / measured.number(),
            Self::AtLeast(goal) => measured.number() / goal.number(),
        }
    }
}

pub fn at_most(ratio: f64) -> Option<Goal> {
    Some(Goal::AtMost(Figure::Ratio(ratio)))
}

pub fn at_least(ratio: f64) -> Option<Goal> {
    Some(Goal::AtLeast(Figure::Ratio(ratio)))
}

impl Row {
    /// Ours divided by theirs.
    pub fn ratio(what: &str, ours: Figure, theirs: (&str, Figure), goal: Option<Goal>) -> Self {
        let ratio = Figure::Ratio(ours.number() / theirs.1.number());
        Self {
            ours: Some(ours),
            theirs: Some((theirs.0.to_owned(), theirs.1)),
            ..Self::figure(what, ratio, goal)
        }
    }

    /// A figure that stands for itself.
    pub fn figure(what: &str, measured: Figure, goal: Option<Goal>) -> Self {
        Self {
            what: what.to_owned(),
            ours: None,
            theirs: None,
            measured: Ok(measured),
            goal,
            beside: Vec::new(),
        }
    }

    pub fn missing(what: &str, why: &str, goal: Option<Goal>) -> Self {
        Self {
            measured: Err(why.to_owned()),
            ..Self::figure(what, Figure::Ratio(f64::NAN), goal)
        }
    }

    pub fn beside(mut self, others: impl IntoIterator<Item = (String, Figure)>) -> Self {
        self.beside.extend(others);
        self
    }

    /// Whether the goal is reached, if there is one and a figure.
    pub fn reached(&self) -> Option<bool> {
        let measured = *self.measured.as_ref().ok()?;
        Some(self.goal?.reached_by(measured) >= 1.0)
    }
}
