//! Measures the tree at a size given as the first argument (default 10,000,000 leaves): append, proof, verification.
//! `cargo run --release -p postfach-ledger --example speed`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use postfach_ledger::hash::{Hash, leaf_hash};
use postfach_ledger::nodes::{TileNodes, Tiles};
use postfach_ledger::proof::{inclusion_proof, inclusion_tiles, verify_inclusion};
use postfach_ledger::tile::TileData;
use postfach_ledger::tree::TreeEdge;

fn main() {
    let size: u64 = std::env::args().nth(1).map_or(10_000_000, |text| text.parse().unwrap());
    let mut rows: HashMap<(u8, u64), TileData> = HashMap::new();
    let mut edge = TreeEdge::new();

    let start = Instant::now();
    while edge.size() < size {
        let end = (edge.size() + 256).min(size);
        edge.append((edge.size()..end).map(|i| leaf_hash(&i.to_be_bytes()))).unwrap();
        for (coord, data) in edge.dirty_tiles() {
            rows.insert((coord.level(), coord.index()), data);
        }
        edge.settle();
    }
    let each = start.elapsed().as_secs_f64() / size as f64;
    println!("append in batches of 256, tiles taken out: {:.2} µs a leaf", each * 1e6);

    let start = Instant::now();
    for _ in 0..100 {
        TreeEdge::load(size, |coord| rows.get(&(coord.level(), coord.index())).cloned()).unwrap();
    }
    println!("load the right edge: {:.1} µs", start.elapsed().as_secs_f64() * 1e4);

    // A server keeps the upper tiles with their inner nodes: one for each 65,536 leaves.
    let upper: HashMap<(u8, u64), Arc<TileNodes>> = rows
        .iter()
        .filter(|((level, _), _)| *level > 0)
        .map(|(key, data)| (*key, Arc::new(TileNodes::new(data))))
        .collect();
    println!("upper tiles kept: {} MiB", upper.len() * 16 / 1024);
    measure("stored tiles", size, &edge.root(), |(level, index), tiles| {
        tiles.insert(level, index, &rows[&(level, index)]);
    });
    measure("stored leaf tiles, kept upper tiles", size, &edge.root(), |(level, index), tiles| {
        match upper.get(&(level, index)) {
            Some(nodes) => tiles.insert_nodes(level, index, Arc::clone(nodes)),
            None => tiles.insert(level, index, &rows[&(level, index)]),
        }
    });

    edge.append((0..256).map(|i: u64| leaf_hash(&i.to_be_bytes()))).unwrap();
    let start = Instant::now();
    for index in size..size + 256 {
        edge.inclusion_proof(index).unwrap();
    }
    println!("inclusion proof in the batch: {:.2} µs", start.elapsed().as_secs_f64() * 1e6 / 256.0);
}

fn measure(what: &str, size: u64, root: &Hash, read: impl Fn((u8, u64), &mut Tiles)) {
    let picks: Vec<u64> = (0..1000).map(|i| i * 7_919_311 % size).collect();
    let (mut build, mut check) = (0.0, 0.0);
    for index in &picks {
        let start = Instant::now();
        let mut tiles = Tiles::new();
        for coord in &inclusion_tiles(*index, size).unwrap() {
            read((coord.level(), coord.index()), &mut tiles);
        }
        let proof = inclusion_proof(*index, size, &tiles).unwrap();
        build += start.elapsed().as_secs_f64();
        let start = Instant::now();
        verify_inclusion(*index, size, &leaf_hash(&index.to_be_bytes()), &proof, root).unwrap();
        check += start.elapsed().as_secs_f64();
    }
    println!("inclusion proof, {what}: {:.1} µs, verify: {:.1} µs", build * 1e3, check * 1e3);
}
