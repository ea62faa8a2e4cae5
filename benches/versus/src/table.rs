//! The table, in the terminal and on a page.

use std::fmt::Write;

use crate::bench::Bench;
use crate::row::{Goal, Group, Row};

pub fn print(group: &Group) {
    println!("\n{}", group.name);
    for row in &group.rows {
        let ours = row.ours.map(|ours| ours.to_string()).unwrap_or_default();
        let (name, theirs) = match &row.theirs {
            Some((name, theirs)) => (name.as_str(), theirs.to_string()),
            None => ("", String::new()),
        };
        println!(
            "  {:58} {ours:>9}  {theirs:>9} {name:26} {:>9}  {:12} {}",
            row.what,
            measured(row),
            goal(row),
            verdict(row),
        );
        if let Err(why) = &row.measured {
            println!("      NOT MEASURED: {why}");
        }
        for (name, figure) in &row.beside {
            println!("      {name:54} {:>9}  {figure:>9}", "");
        }
    }
}

pub fn print_end(groups: &[Group]) {
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let reached = rows().filter(|row| row.reached() == Some(true)).count();
    let goals = rows().filter(|row| row.goal.is_some()).count();
    let unknown = rows()
        .filter(|row| row.goal.is_some() && row.reached().is_none())
        .count();
    println!("\n{reached} of {goals} goals reached, {unknown} not measured");
}

/// The same, for a page.
pub fn markdown(groups: &[Group], bench: &Bench) -> String {
    let mut page = format!(
        "{}\n\n| what | ours | theirs | measured | goal | |\n| --- | ---: | ---: | ---: | ---: | --- |\n",
        bench.describe()
    );
    let mut line = |cells: [&str; 6]| {
        // A bar in a cell would end it.
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    };
    for group in groups {
        line([&format!("**{}**", group.name), "", "", "", "", ""]);
        for row in &group.rows {
            let ours = row.ours.map(|ours| ours.to_string()).unwrap_or_default();
            let theirs = row.theirs.as_ref();
            let theirs = theirs.map(|(name, figure)| format!("{figure}, {name}"));
            let said = match &row.measured {
                Ok(_) => verdict(row),
                Err(why) => &format!("not measured: {why}"),
            };
            let theirs = theirs.unwrap_or_default();
            line([&row.what, &ours, &theirs, &measured(row), &goal(row), said]);
            for (name, figure) in &row.beside {
                line([&format!("- {name}"), "", &figure.to_string(), "", "", ""]);
            }
        }
    }
    page
}

pub fn measured(row: &Row) -> String {
    row.measured
        .as_ref()
        .map_or("-".to_owned(), ToString::to_string)
}

pub fn goal(row: &Row) -> String {
    match row.goal {
        Some(Goal::AtMost(figure)) => format!("≤ {figure}"),
        Some(Goal::AtLeast(figure)) => format!("≥ {figure}"),
        None => String::new(),
    }
}

fn verdict(row: &Row) -> &'static str {
    match row.reached() {
        Some(true) => "reached",
        Some(false) => "MISSED",
        None => "",
    }
}
