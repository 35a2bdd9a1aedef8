//! The files of a bundle: safetensors with fixed tensor names, checked before anything is believed.

mod lengths;

use super::manifest::{Manifest, SCHEMA, TaskCard};
use crate::bayes::calibration::{Confidence, Confidences};
use crate::bayes::odds::{Curve, Odds};
use crate::bayes::weights::{Codebooks, Table, Weights, WeightsError};
use crate::features::{self, FeatureSpec, Offers};
use crate::language::vocabulary::Vocabulary;
use bytes::Bytes;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::borrow::Cow;

/// Why a bundle is refused.
#[derive(Debug, thiserror::Error)]
pub enum ModelFormatError {
    #[error("manifest.json: {0}")]
    Manifest(String),
    #[error("manifest.json: schema {found}, this program reads schema {SCHEMA}")]
    Version { found: u32 },
    #[error("manifest.json names no task {0:?}")]
    MissingTask(&'static str),
    #[error("{file}: missing")]
    MissingFile { file: String },
    #[error("{file}: {found} bytes, the manifest says {expected}")]
    Truncated { file: String, found: u64, expected: u64 },
    #[error("{file}: its contents do not have the hash the manifest gives")]
    Checksum { file: String },
    #[error("{file}: trained with pipeline {found}, this program has pipeline {expected}: train it again")]
    Pipeline { file: String, found: String, expected: String },
    #[error("{file}: {problem}")]
    Tensor { file: String, problem: String },
    #[error("{file}: {source}")]
    Weights { file: String, source: WeightsError },
}

/// One task's file, read and checked against its card.
pub struct TaskFile<'a> {
    file: &'a str,
    bytes: Bytes,
    tensors: SafeTensors<'a>,
}

impl Manifest {
    pub fn parse(bytes: &[u8]) -> Result<Self, ModelFormatError> {
        #[derive(serde::Deserialize)]
        struct Head {
            schema: u32,
        }
        let head: Head =
            serde_json::from_slice(bytes).map_err(|e| ModelFormatError::Manifest(e.to_string()))?;
        if head.schema != SCHEMA {
            return Err(ModelFormatError::Version { found: head.schema });
        }
        serde_json::from_slice(bytes).map_err(|e| ModelFormatError::Manifest(e.to_string()))
    }

    /// Deterministic: keys in order, no times, so the same training gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// `name@digest`: the manifest holds every file's hash, so its own stands for the whole bundle.
    pub fn version(&self) -> String {
        let digest = blake3::hash(&self.to_bytes()).to_hex();
        format!("{}@{}", self.name, &digest.as_str()[..12])
    }
}

/// Checks a task file's size, hash and pipeline against its card.
pub fn check(card: &TaskCard, bytes: &[u8], expected_pipeline: &str) -> Result<(), ModelFormatError> {
    let file = || card.file.clone();
    if bytes.len() as u64 != card.bytes {
        return Err(ModelFormatError::Truncated {
            file: file(),
            found: bytes.len() as u64,
            expected: card.bytes,
        });
    }
    if blake3::hash(bytes).to_hex().as_str() != card.blake3 {
        return Err(ModelFormatError::Checksum { file: file() });
    }
    if card.pipeline != expected_pipeline {
        return Err(ModelFormatError::Pipeline {
            file: file(),
            found: card.pipeline.clone(),
            expected: expected_pipeline.to_string(),
        });
    }
    Ok(())
}

impl<'a> TaskFile<'a> {
    pub fn open(file: &'a str, bytes: &'a Bytes) -> Result<Self, ModelFormatError> {
        let tensors = SafeTensors::deserialize(bytes)
            .map_err(|e| ModelFormatError::Tensor { file: file.to_string(), problem: e.to_string() })?;
        Ok(Self { file, bytes: bytes.clone(), tensors })
    }

    fn wrong<T>(&self, problem: String) -> Result<T, ModelFormatError> {
        Err(ModelFormatError::Tensor { file: self.file.to_string(), problem })
    }

    fn tensor(&self, name: &str, dtype: Dtype) -> Result<TensorView<'_>, ModelFormatError> {
        let tensor = match self.tensors.tensor(name) {
            Ok(tensor) => tensor,
            Err(e) => return self.wrong(format!("tensor {name}: {e}")),
        };
        if tensor.dtype() != dtype {
            return self.wrong(format!("tensor {name} is {:?}, expected {dtype:?}", tensor.dtype()));
        }
        Ok(tensor)
    }

    /// The tensor's bytes, sharing the file's memory.
    pub fn raw(&self, name: &str, dtype: Dtype) -> Result<Bytes, ModelFormatError> {
        let tensor = self.tensor(name, dtype)?;
        Ok(self.bytes.slice_ref(tensor.data()))
    }

    pub fn f32s(&self, name: &str) -> Result<Vec<f32>, ModelFormatError> {
        let tensor = self.tensor(name, Dtype::F32)?;
        Ok(tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    pub fn u32s(&self, name: &str) -> Result<Vec<u32>, ModelFormatError> {
        let tensor = self.tensor(name, Dtype::U32)?;
        Ok(tensor.data().chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    pub fn u64s(&self, name: &str) -> Result<Vec<u64>, ModelFormatError> {
        let tensor = self.tensor(name, Dtype::U64)?;
        Ok(tensor
            .data()
            .chunks_exact(8)
            .map(|b| u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
            .collect())
    }

    /// What the top probability is worth, for tasks on words; files may have none, or one map for all tables.
    pub fn confidences(&self, tables: usize) -> Result<Confidences, ModelFormatError> {
        if self.tensors.tensor(CONFIDENCE).is_err() {
            return Ok(Confidences::default());
        }
        let points: Vec<(f32, f32)> = self.f32s(CONFIDENCE)?.chunks_exact(2).map(|p| (p[0], p[1])).collect();
        let ends = match self.tensors.tensor(CONFIDENCE_ENDS) {
            Ok(_) => self.u32s(CONFIDENCE_ENDS)?,
            Err(_) => vec![points.len() as u32; tables + 1],
        };
        if ends.len() != tables + 1 {
            return self.wrong(format!("tensor {CONFIDENCE_ENDS} does not fit {tables} tables"));
        }
        let mut maps = Vec::with_capacity(ends.len());
        let mut from = 0;
        for end in ends {
            let map = points.get(from..end as usize).and_then(|own| Confidence::from_points(own.to_vec()));
            let Some(map) = map else {
                return self.wrong(format!("tensor {CONFIDENCE} is not ascending from 0 to 1"));
            };
            maps.push(map);
            from = end as usize;
        }
        let mut maps = maps.into_iter();
        let common = maps.next().unwrap_or_default();
        Ok(Confidences { common, own: maps.map(|map| (!map.points().is_empty()).then_some(map)).collect() })
    }

    /// Calibration of a task of ham and spam whose tables stand on the pooled one; `None` where the file
    /// has none.
    pub fn odds(&self, card: &TaskCard) -> Result<Option<Odds>, ModelFormatError> {
        if !self.tensors.names().contains(&"curve") {
            return Ok(None);
        }
        let (curves, pieces) = (self.f32s("curve")?, self.f32s("pieces")?);
        let (offers, shares) = match self.tensors.names().contains(&"offers") {
            true => (self.f32s("offers")?, self.f32s("offers_share")?),
            false => (Vec::new(), Vec::new()),
        };
        let labels: Vec<&str> = card.labels.iter().map(|l| l.id.as_str()).collect();
        let pieces: Result<[f32; 3], _> = pieces.try_into();
        match pieces {
            Ok(pieces)
                if labels == ["ham", "spam"]
                    && curves.len() == 4 * card.tables.len()
                    && (offers.is_empty() || offers.len() == Offers::places())
                    && (offers.is_empty() || shares.len() == card.tables.len())
                    && curves.iter().chain(&pieces).chain(&offers).chain(&shares).all(|w| w.is_finite()) =>
            {
                let curve = |w: &[f32]| Curve::from([w[0], w[1], w[2], w[3]]);
                Ok(Some(Odds { curves: curves.chunks_exact(4).map(curve).collect(), pieces, offers, shares }))
            }
            _ => self
                .wrong(format!("tensors curve, pieces and offers do not fit {} tables", card.tables.len())),
        }
    }

    /// Where the buckets of records begin; files of the first releases give them one by one.
    fn starts(&self) -> Result<Vec<u32>, ModelFormatError> {
        if self.tensors.tensor("starts").is_ok() {
            return self.u32s("starts");
        }
        match lengths::starts(self.tensor("lengths", Dtype::U8)?.data()) {
            Some(starts) => Ok(starts),
            None => self.wrong("tensor lengths ends within a number or exceeds 32 bits".to_string()),
        }
    }

    /// The weights in this file, for a card's labels and tables.
    /// Files of earlier releases have none.
    pub fn vocabulary(&self, n_labels: usize) -> Result<Vocabulary, ModelFormatError> {
        if self.tensors.tensor(WORDS).is_err() {
            return Ok(Vocabulary::default());
        }
        let known = self.f32s(WORDS_KNOWN)?;
        if known.len() != n_labels {
            return self.wrong(format!("{} shares of known words for {n_labels} labels", known.len()));
        }
        Vocabulary::new(self.raw(WORDS, Dtype::U8)?, known).or_else(|problem| self.wrong(problem))
    }

    pub fn weights(&self, card: &TaskCard) -> Result<Weights, ModelFormatError> {
        let (n_labels, n_tables) = (card.labels.len(), card.tables.len());
        let biases = self.f32s("bias")?;
        let temperatures = self.f32s("temperature")?;
        let offsets = self.f32s("offset")?;
        let buckets = self.u32s("buckets")?;
        let documents = self.u64s("documents")?;
        if biases.len() != n_labels * n_tables
            || offsets.len() != n_labels * n_tables
            || temperatures.len() != n_tables
            || buckets.len() != n_tables
            || documents.len() != n_tables
        {
            return self.wrong(format!("tensors do not fit {n_tables} tables of {n_labels} labels"));
        }
        let mut first_bucket = 0_u32;
        let mut tables = Vec::with_capacity(n_tables);
        for (i, name) in card.tables.iter().enumerate() {
            tables.push(Table {
                name: name.clone(),
                first_bucket,
                n_buckets: buckets[i],
                // The format has finite numbers only: the lowest stands for "never saw the label".
                bias: biases[i * n_labels..(i + 1) * n_labels]
                    .iter()
                    .map(|b| if *b == f32::MIN { f32::NEG_INFINITY } else { *b })
                    .collect(),
                temperature: temperatures[i],
                offsets: offsets[i * n_labels..(i + 1) * n_labels].to_vec(),
                documents: documents[i],
            });
            first_bucket = match first_bucket.checked_add(buckets[i]) {
                Some(next) => next,
                None => return self.wrong("more buckets than 32 bits count".to_string()),
            };
        }
        Weights::from_parts(
            n_labels,
            Codebooks {
                narrow: self.f32s("narrow")?,
                wide: self.f32s("wide")?,
                // Files of the first releases have no masks and so no such tensor.
                nibble: if self.tensors.tensor("nibble").is_ok() { self.f32s("nibble")? } else { Vec::new() },
            },
            tables,
            &self.starts()?,
            self.raw("records", Dtype::U8)?,
        )
        .map_err(|source| ModelFormatError::Weights { file: self.file.to_string(), source })
    }
}

const WORDS: &str = "words";
const WORDS_KNOWN: &str = "words_known";
const CONFIDENCE: &str = "confidence";
const CONFIDENCE_ENDS: &str = "confidence_ends";

/// A tensor to write.
pub struct TensorBytes {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl TensorBytes {
    pub fn f32s(shape: Vec<usize>, values: &[f32]) -> Self {
        Self { dtype: Dtype::F32, shape, data: values.iter().flat_map(|v| v.to_le_bytes()).collect() }
    }

    pub fn u32s(values: &[u32]) -> Self {
        Self {
            dtype: Dtype::U32,
            shape: vec![values.len()],
            data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    pub fn u64s(values: &[u64]) -> Self {
        Self {
            dtype: Dtype::U64,
            shape: vec![values.len()],
            data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    fn raw(dtype: Dtype, width: usize, data: &[u8]) -> Self {
        Self { dtype, shape: vec![data.len() / width], data: data.to_vec() }
    }
}

impl safetensors::View for TensorBytes {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }

    fn data_len(&self) -> usize {
        self.data.len()
    }
}

/// The tensors of `weights`, in the names [`TaskFile::weights`] reads.
pub fn weight_tensors(weights: &Weights) -> Vec<(String, TensorBytes)> {
    let tables = weights.tables();
    let bias: Vec<f32> = tables
        .iter()
        .flat_map(|t| &t.bias)
        .map(|b| if *b == f32::NEG_INFINITY { f32::MIN } else { *b })
        .collect();
    let offset: Vec<f32> = tables.iter().flat_map(|t| &t.offsets).copied().collect();
    let temperature: Vec<f32> = tables.iter().map(|t| t.temperature).collect();
    let buckets: Vec<u32> = tables.iter().map(|t| t.n_buckets).collect();
    let documents: Vec<u64> = tables.iter().map(|t| t.documents).collect();
    let Codebooks { narrow, wide, nibble } = weights.codebooks();
    let lengths = lengths::of(weights.starts());
    vec![
        ("bias".into(), TensorBytes::f32s(vec![tables.len(), weights.n_labels()], &bias)),
        ("offset".into(), TensorBytes::f32s(vec![tables.len(), weights.n_labels()], &offset)),
        ("temperature".into(), TensorBytes::f32s(vec![tables.len()], &temperature)),
        ("buckets".into(), TensorBytes::u32s(&buckets)),
        ("documents".into(), TensorBytes::u64s(&documents)),
        ("narrow".into(), TensorBytes::f32s(vec![narrow.len()], narrow)),
        ("wide".into(), TensorBytes::f32s(vec![wide.len()], wide)),
        ("nibble".into(), TensorBytes::f32s(vec![nibble.len()], nibble)),
        ("lengths".into(), TensorBytes::raw(Dtype::U8, 1, &lengths)),
        ("records".into(), TensorBytes::raw(Dtype::U8, 1, weights.records())),
    ]
}

/// The tensors [`TaskFile::confidences`] reads: the points of the common map, then those of each table; and
/// where each ends.
pub fn confidence_tensors(confidences: &Confidences) -> [(String, TensorBytes); 2] {
    let of_tables = confidences.own.iter().map(|own| own.as_ref().map_or(&[][..], Confidence::points));
    let (mut values, mut ends) = (Vec::new(), Vec::new());
    for points in std::iter::once(confidences.common.points()).chain(of_tables) {
        values.extend(points.iter().flat_map(|p| [p.0, p.1]));
        ends.push(values.len() as u32 / 2);
    }
    let ends: Vec<u8> = ends.into_iter().flat_map(u32::to_le_bytes).collect();
    [
        (CONFIDENCE.to_string(), TensorBytes::f32s(vec![values.len() / 2, 2], &values)),
        (CONFIDENCE_ENDS.to_string(), TensorBytes::raw(Dtype::U32, 4, &ends)),
    ]
}

/// The tensors [`TaskFile::vocabulary`] reads.
pub fn vocabulary_tensors(vocabulary: &Vocabulary) -> [(String, TensorBytes); 2] {
    let known = vocabulary.known();
    [
        (WORDS.to_string(), TensorBytes::raw(Dtype::U8, 1, vocabulary.blocks())),
        (WORDS_KNOWN.to_string(), TensorBytes::f32s(vec![known.len()], known)),
    ]
}

/// The tensors [`TaskFile::odds`] reads.
pub fn odds_tensors(odds: &Odds) -> Vec<(String, TensorBytes)> {
    let curves: Vec<f32> = odds.curves.iter().flat_map(Curve::parameters).collect();
    vec![
        ("curve".into(), TensorBytes::f32s(vec![odds.curves.len(), 4], &curves)),
        ("pieces".into(), TensorBytes::f32s(vec![3], &odds.pieces)),
        ("offers".into(), TensorBytes::f32s(vec![odds.offers.len()], &odds.offers)),
        ("offers_share".into(), TensorBytes::f32s(vec![odds.shares.len()], &odds.shares)),
    ]
}

/// The bytes of one task file.
pub fn serialize(tensors: Vec<(String, TensorBytes)>) -> Result<Vec<u8>, ModelFormatError> {
    safetensors::serialize(tensors, None)
        .map_err(|e| ModelFormatError::Tensor { file: "new file".to_string(), problem: e.to_string() })
}

/// What the pipeline does to text, in sixteen hexadecimal digits: a model trained by another is refused.
pub fn pipeline_fingerprint(spec: Option<&FeatureSpec>) -> String {
    format!("{:016x}", features::fingerprint(spec))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(name: &str, tensor: TensorBytes) -> Result<Vec<u32>, ModelFormatError> {
        let bytes = Bytes::from(serialize(vec![(name.to_string(), tensor)]).expect("writes"));
        TaskFile::open("topic.safetensors", &bytes).expect("opens").starts()
    }

    #[test]
    fn starts_are_read_as_lengths_and_as_they_were_written_before() {
        let known = [0, 24, 24, 400];
        let lengths = |bytes: &[u8]| TensorBytes::raw(Dtype::U8, 1, bytes);
        let of = lengths::of(known.into_iter());
        assert_eq!(starts("lengths", lengths(&of)).expect("lengths"), known);
        assert_eq!(starts("starts", TensorBytes::u32s(&known)).expect("starts"), known);
        let cut = starts("lengths", lengths(&of[..of.len() - 1])).expect_err("cut off");
        assert!(cut.to_string().starts_with("topic.safetensors: tensor lengths ends within"), "{cut}");
        assert!(starts("other", TensorBytes::u32s(&known)).is_err());
    }

    #[test]
    fn words_are_read_where_there_are_any_and_refused_where_they_are_of_other_labels() {
        let read = |tensors: Vec<(String, TensorBytes)>, n_labels| {
            let bytes = Bytes::from(serialize(tensors).expect("writes"));
            TaskFile::open("language.safetensors", &bytes).expect("opens").vocabulary(n_labels)
        };
        let other = || vec![("bias".to_string(), TensorBytes::f32s(vec![1], &[0.0]))];
        assert!(read(other(), 2).expect("a file of an earlier release").known().is_empty());
        let known = Vocabulary::new(vec![0; 64].into(), vec![0.5, 0.25]).expect("is whole");
        let words = || vocabulary_tensors(&known).into_iter().collect::<Vec<_>>();
        assert_eq!(read(words(), 2).expect("reads").known(), [0.5, 0.25]);
        let wrong = read(words(), 3).expect_err("another number of labels").to_string();
        assert!(wrong.contains("2 shares of known words for 3 labels"), "{wrong}");
        let mut torn = words();
        torn[0].1 = TensorBytes::raw(Dtype::U8, 1, &[0; 63]);
        let wrong = read(torn, 2).expect_err("no whole block").to_string();
        assert!(wrong.starts_with("language.safetensors: 63 bytes of words"), "{wrong}");
    }
}
