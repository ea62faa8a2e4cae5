//! A web service whose slow work is remembered, in this process or by all that share a Redis server.
//!
//! ```text
//! cargo run -p example-web -- FOLDER ADDRESS            # `articles` and 127.0.0.1:3000 unless given
//! CACHE_MEMOIZE_URL=redis://127.0.0.1 cargo run -p example-web
//!
//! curl -X PUT --data 'Once upon a time' http://127.0.0.1:3000/articles/1
//! curl http://127.0.0.1:3000/articles/1                 # slow, and then fast, from any of the processes
//! curl http://127.0.0.1:3000/stats
//! ```
//!
//! All the caching is in the attribute on [`digest()`] and in the one line of [`write()`] that says when to forget.

use std::env;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use cache_memoize::{Runtime, cache_memoize};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio::{fs, signal};

/// Where the articles are, one a file: it stands for a database.
struct Library {
    folder: PathBuf,
}

impl Library {
    fn file(&self, id: u32) -> PathBuf {
        self.folder.join(format!("{id}.txt"))
    }
}

/// What is told of an article.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Digest {
    words: usize,
    longest_word: String,
}

/// Reads an article with great care. What goes wrong is not remembered.
#[cache_memoize(key = "digest:<id>", expiration = "1h", skip(library))]
async fn digest(library: &Library, id: u32) -> io::Result<Digest> {
    let text = fs::read_to_string(library.file(id)).await?;
    sleep(Duration::from_millis(300)).await;
    let longest = text.split_whitespace().max_by_key(|word| word.len());
    Ok(Digest {
        words: text.split_whitespace().count(),
        longest_word: longest.unwrap_or_default().to_owned(),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Where the cache fails nobody else tells of it. At `info` and above, and apart from what the service itself prints.
    tracing_subscriber::fmt().with_writer(io::stderr).init();

    // Without `CACHE_MEMOIZE_URL` the memory of this process is used.
    Runtime::from_env()?.install()?;

    let mut arguments = env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "articles".to_owned());
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    fs::create_dir_all(&folder).await?;
    let library = Arc::new(Library {
        folder: folder.into(),
    });
    let service = Router::new()
        .route("/articles/{id}", get(read).put(write))
        .route("/stats", get(stats))
        .with_state(library);

    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, service)
        .with_graceful_shutdown(stop())
        .await?;
    Ok(())
}

async fn read(
    State(library): State<Arc<Library>>,
    Path(id): Path<u32>,
) -> Result<Json<Digest>, StatusCode> {
    digest(&library, id)
        .await
        .map(Json)
        .map_err(|error| status(&error))
}

/// The article is written first: a digest that is computed from then on is one of the new text, and one whose computation began
/// before isn't stored after the invalidation.
///
/// A task of its own does both. Of who hangs up the handler is dropped, and it could be between the two.
async fn write(
    State(library): State<Arc<Library>>,
    Path(id): Path<u32>,
    text: String,
) -> Result<StatusCode, StatusCode> {
    let written = tokio::spawn(async move {
        fs::write(library.file(id), text)
            .await
            .map_err(|error| status(&error))?;
        // Where the cache can't be asked the old digest may stay there: who is told so can write once more.
        if digest::invalidate(id).await {
            Ok(StatusCode::NO_CONTENT)
        } else {
            Err(StatusCode::SERVICE_UNAVAILABLE)
        }
    });
    written
        .await
        .unwrap_or(Err(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn stats() -> String {
    let stats = digest::stats();
    let (hits, misses, unanswered) = (stats.hits, stats.misses(), stats.unanswered);
    format!("{hits} hits, {misses} misses, {unanswered} unanswered\n")
}

fn status(error: &io::Error) -> StatusCode {
    match error.kind() {
        io::ErrorKind::NotFound => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Ends with the first signal to stop: requests that have begun are answered, no more are taken.
async fn stop() {
    #[cfg(unix)]
    if let Ok(mut terminated) = signal::unix::signal(signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        return;
    }
    let _ = signal::ctrl_c().await;
}
