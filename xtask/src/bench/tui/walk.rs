//! What is done to the UI while its frames are timed: each pane at each zoom, from all of the trace
//! down to nanoseconds, with steps, turns of the timeline and of lists; and what is typed.

use anyhow::{Result, ensure};

use super::stage::Stage;

/// Keys at every zoom: along the timeline and a step, both ways.
const ALWAYS: [&str; 4] = ["l", "h", "n", "N"];
/// Keys of which every zoom has two in turn: the other steps, calls of the same function, threads, rows
/// of the pane, the caller.
const IN_TURN: [[&str; 2]; 6] =
    [["s", "S"], ["f", "F"], ["}", "{"], ["J", "K"], ["j", "k"], ["u", "d"]];
/// The panes.
const PANES: [&str; 7] = ["1", "2", "3", "4", "5", "6", "7"];
/// The shortest range that the UI shows is about so long, ns.
const NANOSECONDS: u64 = 100;
/// Zooms at most, so that a zoom that does nothing ends.
const MOST_ZOOMS: usize = 64;

/// Walks, beginning at a place of its own for each round; of so many zooms one is looked at.
pub fn walk(stage: &mut Stage, of_zooms: usize, (round, rounds): (u32, u32)) -> Result<()> {
    let percent = u64::from(round) * 100 / (u64::from(rounds) + 1);
    for pane in PANES {
        place(stage, percent)?;
        stage.press(pane)?;
        stage.press("0")?;
        let mut zooms = 0;
        loop {
            for key in ALWAYS.iter().chain(&IN_TURN[zooms % IN_TURN.len()]) {
                stage.press(key)?;
            }
            if stage.model.range.length() <= NANOSECONDS || zooms == MOST_ZOOMS {
                break;
            }
            for _ in 0..of_zooms {
                stage.press("+")?;
                zooms += 1;
            }
        }
        ensure!(stage.model.range.length() <= NANOSECONDS, "the zoom does not reach nanoseconds");
        stage.press("0")?;
    }
    place(stage, percent)?;
    held(stage)?;
    typed(stage)
}

fn place(stage: &mut Stage, percent: u64) -> Result<()> {
    stage.press(":")?;
    stage.type_text(&format!("{percent}%"))?;
    stage.press("enter")
}

/// Keys that are held: the next comes before the answers to the one before.
fn held(stage: &mut Stage) -> Result<()> {
    for pane in PANES {
        stage.press(pane)?;
        for key in ["n", "+", "l", "j", "-", "h", "N", "k"] {
            for _ in 0..20 {
                stage.press_at_once(key)?;
            }
            stage.press("esc")?;
        }
    }
    Ok(())
}

/// What lists something while it is typed, and what covers the screen.
fn typed(stage: &mut Stage) -> Result<()> {
    stage.press("/")?;
    stage.type_text("function_17")?;
    stage.press("enter")?;
    stage.press("?")?;
    for _ in 0..5 {
        stage.press("j")?;
    }
    stage.press("esc")?;
    stage.press("4")?;
    for _ in 0..8 {
        stage.press(">")?;
    }
    stage.press("r")?;
    stage.press("enter")?;
    stage.wait_for_all()?;
    stage.press("j")?;
    stage.press("esc")?;
    stage.press("m")?;
    stage.type_text("here")?;
    stage.press("enter")?;
    stage.press("1").map(drop)
}
