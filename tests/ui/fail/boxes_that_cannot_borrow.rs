use cache_memoize::cache_memoize;

use std::pin::Pin;
use std::sync::Arc;

use futures::stream::{self, BoxStream, Stream, StreamExt};

struct Tables;

impl Tables {
    #[cache_memoize(key = "rows:<count>", skip(self))]
    pub fn rows(&self, count: u32) -> BoxStream<'static, u32> {
        stream::iter(0..count).boxed()
    }

    #[cache_memoize(key = "several:<name>:<count>", skip(self))]
    pub async fn several(self: &Arc<Self>, name: &str, count: u32) -> BoxStream<'static, u32> {
        let _ = name;
        stream::iter(0..count).boxed()
    }

    #[cache_memoize(key = "elided:<name>", skip(self))]
    pub fn elided(&self, name: &str) -> BoxStream<'_, String> {
        stream::iter([name.to_owned()]).boxed()
    }

    #[cache_memoize(key = "own:<name>:<count>", skip(self))]
    pub async fn own<'t>(&'t mut self, mut name: &str, count: u32) -> BoxStream<'_, u32> {
        name = name.trim();
        let _ = name;
        stream::iter(0..count).boxed()
    }

    #[cache_memoize(key = "named:<name>", skip(self))]
    pub fn named<'r>(&self, name: &'r str) -> Box<dyn Iterator<Item = char> + 'r> {
        Box::new(name.chars())
    }

    #[cache_memoize(key = "fits:<name>:<of>", skip(self))]
    pub fn fits<'r>(&'r self, name: &'r str, of: &'static str) -> BoxStream<'_, u32> {
        stream::iter(0..(name.len() + of.len()) as u32).boxed()
    }

    #[cache_memoize(key = "owned:<count>", skip(self))]
    pub fn owned(self: Arc<Self>, count: u32) -> BoxStream<'static, u32> {
        stream::iter(0..count).boxed()
    }
}

#[cache_memoize]
fn pinned(text: &str) -> Pin<Box<dyn Stream<Item = u32> + Send + 'static>> {
    stream::iter(0..text.len() as u32).boxed()
}

#[cache_memoize(skip(tables))]
fn unsaid((tables, _): (&Tables, u8), count: u32) -> Box<dyn Iterator<Item = u32>> {
    let _ = tables;
    Box::new(0..count)
}

#[cache_memoize]
fn lasting(text: &'static str) -> Box<dyn Iterator<Item = char>> {
    Box::new(text.chars())
}

fn main() {
    let _ = Tables.rows(1);
    let _ = Tables.elided("").chain(Tables.fits("", "").map(|n| n.to_string()));
    let _ = pinned::uncached("");
    lasting("").count();
}
