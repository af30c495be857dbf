//! Clients' reads on a running store: the apply stage answers what a quorum has confirmed.

use rollcall_impl::{End, Input, Output, Sound};

use super::cluster::{REGION, bytes};
use super::nodes::{World, alone, forgetful, request, right, wait_until};
use super::{ends_in_a_deadlock, interleavings};

fn get(id: u64, key: &str) -> Input {
    Input::Get { id, region: REGION, key: bytes(key) }
}

/// The values that were read, in order.
fn values(world: &World) -> Vec<Option<String>> {
    let read = |output: &Output| match output {
        Output::Completed { end: End::Read { value, .. }, .. } => {
            Some(value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned()))
        }
        _ => None,
    };
    world.out.iter().filter_map(read).collect()
}

/// A write, and a read behind it on the same store. Nobody asks for the answer. The read sees the
/// write if its client sends it once the write is acknowledged.
macro_rules! a_read_behind_a_write {
    ($node:ident) => {{
        let engine = alone();
        interleavings(1, move || {
            let (node, world) = $node::open(1, Sound, engine.clone(), &[REGION]);
            let threads = [$node::works(&node), $node::applies(&node), $node::writes(&node, &world)];
            node.send(request(1, REGION, "a"), usize::MAX).unwrap();
            wait_until(&world, |world| world.ended() > 0);
            node.send(get(2, "a"), usize::MAX).unwrap();
            wait_until(&world, |world| world.ended() > 1);
            node.inputs.stop();
            node.due.stop();
            node.journal.stop();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            node.close().unwrap();
            assert_eq!(values(&world.lock().unwrap()), [Some("a".to_string())]);
        });
    }};
}

#[test]
fn a_read_sees_what_was_acknowledged_before_it() {
    a_read_behind_a_write!(right);
}

#[test]
fn loom_finds_a_read_that_nobody_answers() {
    ends_in_a_deadlock("reads::loom_finds_a_read_that_nobody_answers", || a_read_behind_a_write!(forgetful));
}
