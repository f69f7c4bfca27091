use proptest::prelude::*;

use super::*;
use crate::proof::{Plan, verify_consistency, verify_inclusion};
use crate::tree::tests::leaves;

fn grow(count: usize) -> (Edge, TileSet, Vec<TileId>, Frontier) {
    let (mut edge, mut set, mut full) = (Edge::new(), TileSet::default(), Vec::new());
    let mut frontier = Frontier::new();
    for leaf in leaves(count) {
        frontier.push(leaf);
        edge.push(leaf, |tile| {
            full.push(tile.id());
            set.insert(tile);
        });
    }
    edge.tiles().into_iter().for_each(|tile| set.insert(tile));
    (edge, set, full, frontier)
}

#[test]
fn paths_are_those_of_the_specification() {
    for (path, resource) in [
        ("checkpoint", Resource::Checkpoint),
        (
            "tile/0/x001/x234/067",
            Resource::Tile(TileId {
                level: 0,
                index: 1_234_067,
                width: 256,
            }),
        ),
        (
            "tile/0/x001/067",
            Resource::Tile(TileId {
                level: 0,
                index: 1067,
                width: 256,
            }),
        ),
        (
            "tile/3/000.p/7",
            Resource::Tile(TileId {
                level: 3,
                index: 0,
                width: 7,
            }),
        ),
        (
            "tile/63/999",
            Resource::Tile(TileId {
                level: 63,
                index: 999,
                width: 256,
            }),
        ),
        (
            "tile/entries/x001/000.p/255",
            Resource::Entries {
                index: 1000,
                width: 255,
            },
        ),
        (
            "tile/entries/000",
            Resource::Entries {
                index: 0,
                width: 256,
            },
        ),
    ] {
        assert_eq!(Resource::parse(path), Some(resource), "{path}");
        assert_eq!(resource.to_string(), path);
    }
    for wrong in [
        "",
        "/checkpoint",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/1",
        "tile/0/0001",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/+1/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/001.p/",
        "tile/0/001.p/1/",
        "tile/0/../001",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/entries/",
    ] {
        assert_eq!(Resource::parse(wrong), None, "{wrong}");
    }
}

/// The example of the specification: a tree of 70,000 entries.
#[test]
fn a_tree_of_70000_has_the_tiles_of_the_specification() {
    let tile = |level, index, width| TileId {
        level,
        index,
        width,
    };
    assert_eq!(
        partials(70_000),
        [tile(0, 273, 112), tile(1, 1, 17), tile(2, 0, 1)]
    );
    assert_eq!(partials(256), [tile(1, 0, 1)]);
    assert_eq!(partials(0), []);
    let (edge, _, full, frontier) = grow(70_000);
    assert_eq!(full.iter().filter(|id| id.level == 0).count(), 273);
    assert_eq!(full.iter().filter(|id| id.level == 1).count(), 1);
    assert_eq!((full.len(), edge.root()), (274, frontier.root()));
}

#[test]
fn tiles_survive_storing() {
    let (edge, ..) = grow(70_000);
    let stored: Vec<Tile> = edge
        .tiles()
        .iter()
        .map(|tile| Tile::from_bytes(tile.id(), &tile.to_bytes()).unwrap())
        .collect();
    assert_eq!(Edge::from_tiles(70_000, &stored).unwrap(), edge);
    assert!(Edge::from_tiles(70_001, &stored).is_err());
    let first = &stored[0];
    assert!(Tile::from_bytes(first.id(), &first.to_bytes()[1..]).is_err());
    assert!(Tile::from_bytes(first.id(), &[]).is_err());
}

#[test]
fn a_bundle_has_the_length_of_each_entry_before_it() {
    let entries: [&[u8]; 3] = [b"one", b"", &[7; 73]];
    let bytes = encode_entries(entries).unwrap();
    let expected = [&[0, 3], b"one".as_slice(), &[0, 0], &[0, 73], &[7; 73]].concat();
    assert_eq!(bytes, expected);
    assert_eq!(encode_entries([vec![0; 65_536].as_slice()]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_edge_is_the_tree(count in 0_usize..2000, more in 0_usize..600) {
        let (mut edge, _, full, frontier) = grow(count);
        prop_assert_eq!(edge.frontier(), frontier);
        prop_assert!(full.iter().all(TileId::is_full));
        let edge_again = Edge::from_tiles(edge.size(), &edge.tiles()).unwrap();
        prop_assert_eq!(&edge_again, &edge);
        for leaf in leaves(count + more).into_iter().skip(count) {
            edge.push(leaf, drop);
        }
        prop_assert_eq!(edge, grow(count + more).0);
    }

    #[test]
    fn proofs_come_from_the_tiles_that_are_needed(count in 1_usize..3000, at: prop::sample::Index, old: prop::sample::Index) {
        let (edge, set, _, _) = grow(count);
        let (index, size) = (u64::try_from(at.index(count)).unwrap(), edge.size());
        let plan = Plan::inclusion(index, size).unwrap();
        let only: TileSet = needed(&plan.nodes(), size)
            .into_iter()
            .map(|id| set.0[&(id.level, id.index)].clone())
            .collect();
        let proof = plan.resolve(|node| only.hash(node)).unwrap();
        let leaf = leaves(count)[at.index(count)];
        prop_assert_eq!(verify_inclusion(index, size, &leaf, &proof, &edge.root()), Ok(()));
        let old_count = old.index(count + 1);
        let (old_edge, ..) = grow(old_count);
        let plan = Plan::consistency(old_edge.size(), size).unwrap();
        let proof = plan.resolve(|node| set.hash(node)).unwrap();
        prop_assert_eq!(verify_consistency(old_edge.size(), &old_edge.root(), size, &edge.root(), &proof), Ok(()));
    }

    #[test]
    fn every_index_has_one_path(level in 0_u8..64, index: u64, width in 1_u16..=256) {
        let resource = Resource::Tile(TileId { level, index, width });
        prop_assert_eq!(Resource::parse(&resource.to_string()), Some(resource));
    }

    #[test]
    fn no_path_makes_parsing_panic(path in "(tile/)?(entries|[0-9]{1,3})/[x0-9./p]{0,20}") {
        if let Some(resource) = Resource::parse(&path) {
            prop_assert_eq!(resource.to_string(), path);
        }
    }
}
