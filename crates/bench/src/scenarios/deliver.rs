//! Durable deliveries: one a call, one caller alone, a hundred a call, with an attachment.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use postfach_domain::event::EventType;
use postfach_domain::limits;
use postfach_proto::v1;
use postfach_proto::v1::attachment_service_client::AttachmentServiceClient;
use postfach_proto::v1::batch_result::Outcome;
use postfach_proto::v1::delivery_service_client::DeliveryServiceClient;
use tonic::transport::Channel;

use super::{Answer, Run, Tools};
use crate::report::Figure;
use crate::server::Server;
use crate::world::{Letter, World};

impl Run {
    /// One a call, all callers.
    pub async fn deliver(&self, server: &Server) -> Result<Figure> {
        self.single("deliver: durable, with receipt", self.plan.single.clone(), self.callers, server).await
    }

    /// One a call, one caller.
    pub async fn deliver_alone(&self, server: &Server) -> Result<Figure> {
        self.single("deliver: one caller alone", self.plan.alone.clone(), 1, server).await
    }

    /// Upload and delivery of a letter with one attachment.
    pub async fn deliver_attached(&self, server: &Server) -> Result<Figure> {
        let name = "deliver with an attachment of 100 kB";
        self.single(name, self.plan.attached.clone(), self.callers, server).await
    }

    async fn single(
        &self,
        name: &str,
        letters: Range<usize>,
        callers: usize,
        server: &Server,
    ) -> Result<Figure> {
        let (first, count) = (letters.start, letters.len());
        let figure = self.timed(name, (callers, count, count), server, move |tools, index| async move {
            let letter = first + index;
            upload(&tools, &tools.letters[letter]).await?;
            let (event, checkpoints) = deliver(&tools.world, &tools.letters[letter], tools.channel).await?;
            Ok(vec![accepted(letter, event, Arc::new(checkpoints.evidence))])
        });
        Self::complete(figure.await?, count)
    }

    /// A hundred a call.
    pub async fn deliver_batch(&self, server: &Server) -> Result<Figure> {
        let batches = self.by_sender(self.plan.batch.clone(), limits::BATCH_MAX);
        let (calls, count, batches) = (batches.len(), self.plan.batch.len(), Arc::new(batches));
        let name = "deliver by batches of up to 100";
        let figure = self.timed(name, (self.callers, calls, count), server, move |tools, index| {
            let batches = Arc::clone(&batches);
            async move { batch(&tools, &batches[index]).await }
        });
        Self::complete(figure.await?, count)
    }

    /// Batches of up to so many letters, each with one sender, the full ones first.
    pub(super) fn by_sender(&self, letters: Range<usize>, most: usize) -> Vec<Vec<usize>> {
        let mut of_sender: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for letter in letters {
            of_sender.entry(self.letters[letter].sender).or_default().push(letter);
        }
        let mut batches: Vec<Vec<usize>> =
            of_sender.values().flat_map(|letters| letters.chunks(most)).map(<[usize]>::to_vec).collect();
        batches.sort_by_key(|batch| std::cmp::Reverse(batch.len()));
        batches
    }
}

fn accepted(letter: usize, event: v1::LoggedEvent, note: Arc<Vec<u8>>) -> Answer {
    Answer { letter, event_type: EventType::Accepted, event, note }
}

/// Delivers one letter; its logged event.
pub async fn deliver(
    world: &World,
    letter: &Letter,
    channel: Channel,
) -> Result<(v1::LoggedEvent, v1::Checkpoints)> {
    let body = v1::DeliverRequest { submission: Some(letter.submission.clone()), validate_only: false };
    let request = world.senders[letter.sender].caller.request(body)?;
    let answer = DeliveryServiceClient::new(channel).deliver(request).await?.into_inner();
    Ok((answer.event.context("no event")?, answer.checkpoints.context("no checkpoints")?))
}

pub(super) async fn batch(tools: &Tools, letters: &[usize]) -> Result<Vec<Answer>> {
    let first = &tools.letters[*letters.first().context("an empty batch")?];
    let submissions = letters.iter().map(|letter| tools.letters[*letter].submission.clone()).collect();
    let body = v1::DeliverBatchRequest { submissions, validate_only: false };
    let request = tools.world.senders[first.sender].caller.request(body)?;
    let answer = DeliveryServiceClient::new(tools.channel.clone()).deliver_batch(request).await?.into_inner();
    let notes: Vec<_> = answer.checkpoints.into_iter().map(|under| Arc::new(under.evidence)).collect();
    letters
        .iter()
        .zip(answer.results)
        .map(|(letter, result)| match result.outcome {
            Some(Outcome::Event(event)) => {
                let note = notes.get(result.checkpoints as usize).context("no checkpoints")?;
                Ok(accepted(*letter, event, Arc::clone(note)))
            }
            other => bail!("a letter of a batch was not accepted: {other:?}"),
        })
        .collect()
}

/// Uploads a letter's attachment, where it has one.
async fn upload(tools: &Tools, letter: &Letter) -> Result<()> {
    let Some(attachment) = &letter.attachment else { return Ok(()) };
    let caller = &tools.world.senders[letter.sender].caller;
    let mut client = AttachmentServiceClient::new(tools.channel.clone());
    let (attachment_id, ct_len) = (attachment.id.to_vec(), attachment.ciphertext.len() as u64);
    let create = v1::CreateUploadRequest { attachment_id: attachment_id.clone(), ct_len };
    client.create_upload(caller.request(create)?).await?;
    let data = Bytes::clone(&attachment.ciphertext);
    let write = v1::WriteSegmentRequest { attachment_id: attachment_id.clone(), index: 0, data };
    client.write_segment(caller.request(write)?).await?;
    let commit = v1::CommitUploadRequest { attachment_id, ct_root: attachment.root.to_vec() };
    client.commit_upload(caller.request(commit)?).await?;
    Ok(())
}
