//! A mixed load: of four calls one delivers, one reads for the first time, one reads again, one syncs what is new.

use std::sync::Arc;

use anyhow::Result;
use postfach_domain::event::EventType;

use super::deliver::deliver;
use super::read::{hand_over, sync};
use super::{Answer, Run};
use crate::report::Figure;
use crate::server::Server;

impl Run {
    /// Things are calls.
    pub async fn mixed(&self, server: &Server) -> Result<Figure> {
        let (plan, cursors) = (self.plan.clone(), Arc::clone(&self.cursors));
        let count = 4 * plan.mixed.len();
        let figure = self
            .timed("mixed: deliver, first read, read again, sync", (self.callers, count, count), server, {
                move |tools, index| {
                    let (plan, cursors, n) = (plan.clone(), Arc::clone(&cursors), index / 4);
                    async move {
                        let letter = match index % 4 {
                            0 => plan.mixed.start + n,
                            1 => plan.batch.start + n,
                            _ => plan.single.start + n,
                        };
                        let reader = tools.letters[letter].reader;
                        Ok(match index % 4 {
                            0 => {
                                let channel = tools.channel.clone();
                                let (event, under) =
                                    deliver(&tools.world, &tools.letters[letter], channel).await?;
                                let note = Arc::new(under.evidence);
                                vec![Answer { letter, event_type: EventType::Accepted, event, note }]
                            }
                            1 => vec![hand_over(&tools, letter, true).await?],
                            2 => vec![hand_over(&tools, letter, false).await?],
                            _ => {
                                let failed = |_| anyhow::anyhow!("a caller failed");
                                let cursor = cursors[reader].lock().map_err(failed)?.clone();
                                let (_, cursor) = sync(&tools, reader, cursor).await?;
                                *cursors[reader].lock().map_err(|_| anyhow::anyhow!("a caller failed"))? =
                                    cursor;
                                Vec::new()
                            }
                        })
                    }
                }
            })
            .await?;
        Self::complete(figure, 3 * self.plan.mixed.len())
    }
}
