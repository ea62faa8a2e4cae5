//! Which questions are under way for one name, so that what one was answered is not kept in place of what another one was.
//!
//! Their answers come by several connections, in any order. Who asked first may get the newest, and use it while an older one is kept: later calls would go
//! back in time until the news of the change has come. So all who ask at one time have one right to keep, and compare what they got.

use std::sync::Arc;

use crate::backend::Lease;
use crate::locks::lock;
use crate::shards::Shards;
use crate::shim::Mutex;

/// Those of all names.
pub(super) struct Questions(Shards<Question>);

/// Those who ask for one name at one time.
pub(super) struct Question {
    /// Their right to keep an answer, which ends with any news of the name.
    pub(super) lease: Lease,
    asked: Mutex<Asked>,
}

struct Asked {
    /// How many have not left yet.
    by: usize,
    /// Which entry the first one was answered with.
    answer: Option<u64>,
}

/// What an answer is beside those that came before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    First,
    /// The same entry.
    Alike,
    /// Another one. Which of them is newer nobody knows.
    Otherwise,
}

impl Question {
    /// Notes with which entry one of them was answered.
    pub(super) fn answered(&self, entry: u64) -> Answered {
        let mut asked = lock(&self.asked);
        match asked.answer.replace(entry) {
            None => Answered::First,
            Some(before) if before == entry => Answered::Alike,
            Some(_) => Answered::Otherwise,
        }
    }
}

impl Questions {
    pub(super) fn new() -> Self {
        Self(Shards::new())
    }

    /// Joins those who ask for this name, or begins with a right to keep.
    pub(super) fn ask(&self, name: &str, lease: impl FnOnce() -> Lease) -> Arc<Question> {
        let mut questions = self.0.lock(name);
        if let Some(question) = questions.get(name) {
            lock(&question.asked).by += 1;
            return Arc::clone(question);
        }
        let asked = Asked {
            by: 1,
            answer: None,
        };
        let question = Arc::new(Question {
            lease: lease(),
            asked: Mutex::new(asked),
        });
        let _nothing = questions.insert(name, Arc::clone(&question));
        question
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Has those who come from now on be others.
    pub(super) fn end(&self, name: &str, question: &Arc<Question>) {
        self.0.lock(name).remove_same(name, question);
    }

    /// Whether that was the last one.
    pub(super) fn leave(&self, name: &str, question: &Arc<Question>) -> bool {
        let mut questions = self.0.lock(name);
        let mut asked = lock(&question.asked);
        asked.by -= 1;
        let is_last = asked.by == 0;
        drop(asked);
        if is_last {
            questions.remove_same(name, question);
        }
        is_last
    }
}
