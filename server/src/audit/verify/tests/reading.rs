//! The audit reads every column of every table, and every row whatever the size of a page.

use std::collections::BTreeMap;

use super::patient::Patient;
use super::scenario;
use crate::storage::Value;
use crate::storage::audit::{ALL, Pager, open_read_only};

#[tokio::test(flavor = "multi_thread")]
async fn every_column_is_read() {
    let world = scenario::everything().await;
    world.app.close().await;
    let patient = Patient::new(&world.folder).await;
    let sql = "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c
               WHERE t.type = 'table' AND t.name NOT LIKE '\\_sqlx%' ESCAPE '\\'";
    let mut schema: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in patient.rows(sql).await {
        let [Value::Text(Some(table)), Value::Text(Some(column))] = row.as_slice() else { panic!("{row:?}") };
        schema.entry(table.clone()).or_default().push(column.clone());
    }
    let bare = |column: &str| column.trim_start_matches("length(").trim_end_matches(')').to_owned();
    let mut read: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for table in ALL {
        read.insert(table.name.into(), table.columns.iter().map(|column| bare(column)).collect());
    }
    schema.values_mut().chain(read.values_mut()).for_each(|columns| columns.sort_unstable());
    assert_eq!(schema, read);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_pages_hold_the_same_rows() {
    let world = scenario::everything().await;
    world.app.close().await;
    let mut query = open_read_only(&world.folder.database()).await.unwrap();
    for table in ALL {
        let whole = Pager::new(table, 10_000).next(&mut query).await.unwrap();
        assert_eq!(whole.len() as u64, table.count(&mut query).await.unwrap());
        let whole: Vec<String> = whole.iter().map(|row| format!("{row:?}")).collect();
        for limit in [1, 2, 3] {
            let (mut pager, mut rows) = (Pager::new(table, limit), Vec::new());
            loop {
                let page = pager.next(&mut query).await.unwrap();
                assert!(page.len() as u64 <= limit);
                if page.is_empty() {
                    break;
                }
                rows.extend(page.iter().map(|row| format!("{row:?}")));
            }
            assert_eq!(rows, whole, "{} by {limit}", table.name);
        }
    }
}
