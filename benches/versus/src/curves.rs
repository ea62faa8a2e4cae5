//! How cost grows, and why a curve bends where it does.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cache_memoize::{Memo, Memory, Runtime, cache_memoize};
use serde_bytes::ByteBuf;

use crate::bench::{Bench, Rounds};
use crate::figure::Figure;
use crate::{alone, picture, redis, streams, threads};

pub struct Curve {
    name: &'static str,
    along: &'static str,
    lines: Vec<Line>,
    /// Why it bends.
    why: &'static str,
}

struct Line {
    name: &'static str,
    points: Vec<(f64, Figure)>,
}

type Measured = (&'static str, fn(&Bench) -> Curve);

pub const CURVES: &[Measured] = &[
    ("number of keys", keys),
    ("value size", sizes),
    ("stream length", lengths),
    ("threads", thread_count),
    ("processes on one Redis", processes),
];

fn runtime(bytes: usize) -> Runtime {
    Runtime::builder()
        .backend(Memory::new(bytes))
        // A value of 1 GiB takes longer than a call has by default.
        .budget(Duration::from_secs(60))
        .build()
        .expect("valid settings")
}

#[cache_memoize(key = "n:<n>")]
fn number(n: u64) -> u64 {
    n ^ 1
}

/// Hits of keys in no order, in a cache that holds all of them: of keys that are known, and where each is made of the value before.
fn keys(bench: &Bench) -> Curve {
    // So few that the system seldom has something else to do meanwhile.
    const CALLS: u32 = 2_000;
    const CONTESTANTS: [&str; 4] = [
        "a hit",
        "quick_cache, bare",
        "a hit, waiting for the last",
        "quick_cache, waiting for the last",
    ];
    let most = bench.or_quick(7, 4);
    let mut lines = CONTESTANTS.map(|name| Line {
        name,
        points: Vec::new(),
    });
    for power in 3..=most {
        let count = 10_u64.pow(power);
        bench.progress(&format!("{count} keys"));
        // Less than half of it is taken.
        let runtime = runtime((count as usize * 2048).max(64 << 20));
        let quick = quick_cache::sync::Cache::new(count as usize * 2);
        runtime.scope(|| {
            for n in 0..count {
                quick.insert(n, number(n));
            }
        });
        let bare = |n: u64| quick.get(&n).unwrap_or_default();
        let [known, known_bare, made, made_bare] = CONTESTANTS;
        let times = bench.pinned(0, || {
            Rounds::new()
                .add(known, CALLS, |calls| {
                    runtime.scope(|| known_keys(calls, count, number));
                })
                .add(known_bare, CALLS, |calls| known_keys(calls, count, bare))
                .add(made, CALLS, |calls| {
                    runtime.scope(|| made_keys(calls, count, number));
                })
                .add(made_bare, CALLS, |calls| made_keys(calls, count, bare))
                .run(bench, bench.or_quick(200, 1))
        });
        assert_eq!(
            runtime.stats().misses(),
            count,
            "each key is computed once, and then kept"
        );
        for line in &mut lines {
            let figure = Figure::Seconds(times.of(line.name));
            line.points.push((count as f64, figure));
        }
    }
    Curve {
        name: "number of keys",
        along: "keys",
        lines: lines.into(),
        why: "Each step is one lookup. It bends where entries leave the processor's caches, and a lookup waits for memory three times. Where the next \
              key is made of the last value both wait alike. Of keys that are known beforehand the processor asks memory for several at a time: \
              of bare lookups more than of hits, which do more each.",
    }
}

fn known_keys(calls: u32, count: u64, get: impl Fn(u64) -> u64) {
    let mut keys = Keys::begin(count);
    (0..calls).for_each(|_| {
        black_box(get(keys.next()));
    });
}

fn made_keys(calls: u32, count: u64, get: impl Fn(u64) -> u64) {
    let mut keys = Keys::begin(count);
    let nothing = black_box(0);
    // That it changes nothing only who computes it finds out.
    (0..calls).for_each(|_| keys.state += get(keys.next()) & nothing);
}

/// Keys in no order, others each time.
struct Keys {
    state: u64,
    count: u64,
}

impl Keys {
    fn begin(count: u64) -> Self {
        let state = BEGUN.fetch_add(1, Ordering::Relaxed) << 32;
        Self { state, count }
    }

    fn next(&mut self) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.state >> 33) % self.count
    }
}

static BEGUN: AtomicU64 = AtomicU64::new(1);

/// Bytes of a length, plain and sealed, read from the memory of this process.
fn sizes(bench: &Bench) -> Curve {
    let most = bench.or_quick(30, 16);
    let mut lines = [
        ("plain, read", false, false),
        ("plain, write", false, true),
        ("sealed, read", true, false),
        ("sealed, write", true, true),
    ]
    .map(|(name, sealed, write)| {
        (
            Line {
                name,
                points: Vec::new(),
            },
            sealed,
            write,
        )
    });
    for power in (4..=most).step_by(2) {
        let length = 1_usize << power;
        bench.progress(&format!("{length} bytes"));
        let rounds = (1 << 28 >> power).clamp(3, 50);
        let calls = (1_u32 << 18 >> power).clamp(1, 1000);
        for (line, sealed, write) in &mut lines {
            // An entry in one piece is bounded by its share of a capacity; what is larger goes in chunks.
            let runtime = runtime((length * 4).max(512 << 20));
            let value = ByteBuf::from(vec![0x5A; length]);
            let memo = || {
                let memo = Memo::new("value").compress(false);
                if *sealed { memo.encrypt() } else { memo }
            };
            let once = |value: ByteBuf| black_box(memo().get_or_compute(|| value)).len();
            let took = bench.pinned(0, || {
                runtime.scope(|| once(value.clone()));
                let mut least = Duration::MAX;
                for _ in 0..bench.or_quick(rounds, 1) {
                    let mut took = Duration::ZERO;
                    for _ in 0..calls {
                        if *write {
                            runtime.scope(|| memo().invalidate());
                        }
                        let value = if *write {
                            value.clone()
                        } else {
                            ByteBuf::new()
                        };
                        let started = Instant::now();
                        runtime.scope(|| once(value));
                        took += started.elapsed();
                    }
                    least = least.min(took / calls);
                }
                least
            });
            if !*write && runtime.stats().hits == 0 {
                // It is too large to be stored: what was timed is not a hit.
                continue;
            }
            line.points.push((
                length as f64,
                Figure::Throughput(length as f64 / took.as_secs_f64()),
            ));
        }
    }
    Curve {
        name: "value size",
        along: "bytes",
        lines: lines.map(|(line, ..)| line).into(),
        why: "Up to some KiB the cost of the call itself counts, then that of a byte. It falls where values leave the processor's \
              caches, and most beyond 32 MiB, where glibc gives each buffer back to the system, which provides the next one page by page: \
              with an allocator that keeps them it falls far less.",
    }
}

/// Rows of streams in the memory of this process.
fn lengths(bench: &Bench) -> Curve {
    let most = bench.or_quick(7, 3);
    let mut lines = [
        ("read", "read"),
        ("write", "write"),
        ("sealed and compressed, read", "sealed read"),
        ("bare loop of postcard, read", "bare read"),
    ]
    .map(|(name, of)| {
        (
            Line {
                name,
                points: Vec::new(),
            },
            of,
        )
    });
    for power in 1..=most {
        let count = 10_u32.pow(power);
        bench.progress(&format!("{count} rows"));
        let rounds = (2_000_000 / count).clamp(3, 200);
        let times = bench.pinned(0, || {
            streams::measure(bench, count, bench.or_quick(rounds, 1))
        });
        for (line, of) in &mut lines {
            let source = if *of == "write" {
                times.of("source")
            } else {
                0.0
            };
            let seconds = (times.of(of) - source) / f64::from(count);
            line.points
                .push((f64::from(count), Figure::Seconds(seconds)));
        }
    }
    Curve {
        name: "stream length",
        along: "rows, each the time of one",
        lines: lines.map(|(line, _)| line).into(),
        why: "Short streams share the cost of a lookup, and written ones that of two writes, among few rows. Then it is flat: a stream \
              goes chunk by chunk, whatever its length.",
    }
}

/// Hits of 1,000 keys by more and more threads.
fn thread_count(bench: &Bench) -> Curve {
    const CALLS: u32 = 20_000;
    let most = bench.or_quick(64, 4);
    let quick = quick_cache::sync::Cache::new(2048);
    (0..1000).for_each(|n| {
        quick.insert(n, number(n));
    });
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let mut count = 1;
    while count <= most {
        bench.progress(&format!("{count} threads"));
        let calls = CALLS * count as u32;
        let bare_get = |n| quick.get(&n).unwrap_or_default();
        let times = Rounds::new()
            .timed("ours", calls, || {
                threads::on(bench, count, 1000, CALLS, &number)
            })
            .timed("bare", calls, || {
                threads::on(bench, count, 1000, CALLS, &bare_get)
            })
            .run(bench, bench.or_quick(50, 1));
        ours.push((count as f64, Figure::Rate(1.0 / times.of("ours"))));
        bare.push((count as f64, Figure::Rate(1.0 / times.of("bare"))));
        count *= 2;
    }
    Curve {
        name: "threads",
        along: "threads, 1,000 keys, all of their hits",
        lines: vec![
            Line {
                name: "hits",
                points: ours,
            },
            Line {
                name: "quick_cache, bare",
                points: bare,
            },
        ],
        why: "It grows up to the number of cores, and must not fall beyond: nobody waits for a thread that the system has put aside.",
    }
}

/// Hits of one key, by processes that share a server.
fn processes(bench: &Bench) -> Curve {
    let mut points = Vec::new();
    let seconds = bench.or_quick("2", "0.2");
    if let Some(server) = redis::server() {
        for count in [1, 2, 4, 8] {
            bench.progress(&format!("{count} processes"));
            let rates = thread::scope(|scope| {
                let ask = || alone::ask(&["hits", &server.url(), seconds]);
                let running: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
                let found = running.into_iter().map(|one| one.join().expect("no panic"));
                found
                    .map(|found| found.map_or(0.0, |found| found[0].1))
                    .sum::<f64>()
            });
            points.push((f64::from(count), Figure::Rate(rates)));
        }
    } else {
        eprintln!(
            "NOT MEASURED: there is no redis-server; install it, or name one with TEST_REDIS_SERVER"
        );
    }
    Curve {
        name: "processes on one Redis",
        along: "processes, all of their hits",
        lines: vec![Line {
            name: "hits",
            points,
        }],
        why: "The server answers on one thread: it is the limit as soon as it has a core to itself that is busy, and processes, server \
              and kernel share the cores of this machine.",
    }
}

pub fn print(curve: &Curve) {
    println!("\n{}: {}", curve.name, curve.along);
    print!("  {:30}", "");
    let Some(longest) = curve.lines.iter().max_by_key(|line| line.points.len()) else {
        return;
    };
    longest
        .points
        .iter()
        .for_each(|(at, _)| print!(" {:>9}", short(*at)));
    println!();
    for line in &curve.lines {
        print!("  {:30}", line.name);
        line.points
            .iter()
            .for_each(|(_, figure)| print!(" {figure:>9}"));
        println!();
    }
    println!("  {}", curve.why);
}

/// The same as [`print`], for a page.
pub fn markdown(curves: &[Curve], bench: &Bench) -> String {
    let mut page = format!("{}\n", bench.describe());
    for curve in curves {
        let _ = writeln!(
            page,
            "\n**{}**: {}. {}\n",
            curve.name, curve.along, curve.why
        );
        let Some(longest) = curve.lines.iter().max_by_key(|line| line.points.len()) else {
            continue;
        };
        let mut row = |name: &str, cells: &mut dyn Iterator<Item = String>| {
            let _ = writeln!(
                page,
                "| {name} | {} |",
                cells.collect::<Vec<_>>().join(" | ")
            );
        };
        row("", &mut longest.points.iter().map(|(at, _)| short(*at)));
        row("---", &mut longest.points.iter().map(|_| "---:".to_owned()));
        for line in &curve.lines {
            row(
                line.name,
                &mut line.points.iter().map(|(_, figure)| figure.to_string()),
            );
        }
    }
    page
}

/// A number on an axis: powers of two by their unit, powers of ten by theirs.
fn short(number: f64) -> String {
    let whole = number as u64;
    let units = if whole.is_power_of_two() {
        [(1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")]
    } else {
        [(1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")]
    };
    let unit = units.into_iter().find(|(size, _)| whole >= *size);
    unit.map_or(whole.to_string(), |(size, unit)| {
        format!("{}{unit}", whole / size)
    })
}

const WIDTH: u32 = 1040;
const HEIGHT: u32 = 250;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 720.0;
const COLOURS: [&str; 4] = ["#2f81f7", "#cf6a3c", "#2da44e", "#8250df"];

/// Both axes in steps of powers.
pub fn picture(curves: &[Curve], bench: &Bench) -> String {
    let mut body = String::new();
    let mut top = 0.0;
    for curve in curves {
        draw(&mut body, curve, top);
        top += f64::from(HEIGHT);
    }
    let _ = writeln!(
        body,
        "<text class=\"small\" x=\"16\" y=\"{}\">{}</text>",
        top + 14.0,
        picture::escape(&bench.describe())
    );
    picture::document(WIDTH, top as u32 + 26, &body)
}

fn draw(body: &mut String, curve: &Curve, top: f64) {
    let all = || curve.lines.iter().flat_map(|line| &line.points);
    let bounds = |numbers: &mut dyn Iterator<Item = f64>| {
        numbers.fold((f64::INFINITY, 0.0_f64), |(low, high), number| {
            (low.min(number), high.max(number))
        })
    };
    let (left, right) = bounds(&mut all().map(|(at, _)| *at));
    let (low, high) = bounds(&mut all().map(|(_, figure)| figure.number()));
    let share = |number: f64, low: f64, high: f64| {
        if high > low {
            (number / low).ln() / (high / low).ln()
        } else {
            0.5
        }
    };
    let x = |at: f64| LEFT + share(at, left, right) * (RIGHT - LEFT);
    // A flat curve has to look flat: the axis spans a factor of four at the least.
    let (low, high) = (low.min(high / 4.0), high);
    let y = |number: f64| top + 190.0 - share(number, low, high) * 140.0;
    let mut text = |class: &str, x: f64, y: f64, text: &str| {
        let _ = writeln!(
            body,
            "<text class=\"{class}\" x=\"{x:.0}\" y=\"{y:.0}\">{}</text>",
            picture::escape(text)
        );
    };
    text("head", 16.0, top + 24.0, curve.name);
    text("small end", RIGHT, top + 24.0, curve.along);
    for (index, line) in wrapped(curve.why, 150).iter().enumerate() {
        text("small", LEFT, top + 222.0 + 14.0 * index as f64, line);
    }
    let longest = curve.lines.iter().max_by_key(|line| line.points.len());
    for (at, _) in longest.into_iter().flat_map(|line| &line.points) {
        text("small middle", x(*at), top + 206.0, &short(*at));
    }
    for (index, line) in curve.lines.iter().enumerate() {
        let (Some((_, first)), Some((_, last))) = (line.points.first(), line.points.last()) else {
            continue;
        };
        let height = top + 60.0 + 32.0 * index as f64;
        text("", RIGHT + 36.0, height, line.name);
        text(
            "small",
            RIGHT + 36.0,
            height + 14.0,
            &format!("{first} at the left, {last} at the right"),
        );
    }
    for (index, line) in curve.lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<_> = line
            .points
            .iter()
            .map(|(at, figure)| format!("{:.1},{:.1}", x(*at), y(figure.number())))
            .collect();
        let _ = writeln!(
            body,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            points.join(" ")
        );
        let height = top + 51.0 + 32.0 * index as f64;
        let _ = writeln!(
            body,
            "<rect fill=\"{colour}\" x=\"{:.0}\" y=\"{height:.0}\" width=\"14\" height=\"10\"/>",
            RIGHT + 16.0
        );
    }
    let bottom = top + 192.0;
    let _ = writeln!(
        body,
        "<line class=\"rule\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{bottom}\" y2=\"{bottom}\"/>"
    );
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a line");
        if !line.is_empty() && line.len() + word.len() >= width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
