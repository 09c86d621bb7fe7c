// Loading a checkpoint in all the ways it may be stored, and in many ways in which it may be
// broken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/models/model.h"
#include "tests/engine/models/broken_model.h"
#include "tests/testing/temporary_folder.h"

namespace attend {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kShared[] = "model.shared.weight";
constexpr char kQuery[] = "model.decoder.layers.1.encoder_attn.q_proj.weight";

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// Logits of a forced pass over fixed ids (all below 290).
Matrix SampleLogits(const Model& model) {
  const std::unique_ptr<Workspace> workspace = MakeWorkspace();
  RaggedBatch source, target;
  source.Add({5, 17, 200, 3, 289, 0});
  target.Add({4, 9, 288, 11});
  Matrix encoded, logits;
  model.Encode(source, {}, workspace.get(), &encoded);
  CrossCache cross;
  model.ProjectCross(encoded.view(), workspace.get(), &cross);
  const CrossCache* const crosses[] = {&cross};
  model.DecodeForced(target, crosses, {}, workspace.get(), &logits, nullptr);
  return logits;
}

Matrix SampleLogits(const BrokenModel& files) {
  auto model = files.Load();
  EXPECT_TRUE(model.ok()) << model.status();
  return SampleLogits(**model);
}

void ExpectEqual(const Matrix& a, const Matrix& b) {
  ASSERT_EQ(a.rows(), b.rows());
  ASSERT_EQ(a.cols(), b.cols());
  EXPECT_EQ(
      std::memcmp(a.data(), b.data(), sizeof(float) * static_cast<size_t>(a.rows() * a.cols())), 0);
}

TEST(ModelLoad, ReportsWhatItRead) {
  const BrokenModel files;
  LoadReport report;
  const auto model = files.Load(&report);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(report.num_tensors, static_cast<int64_t>(files.tensors().size()));
  size_t bytes = 0;
  for (const TensorToWrite& tensor : files.tensors()) bytes += tensor.bytes.size();
  EXPECT_EQ(report.num_parameters, static_cast<int64_t>(bytes / 4));
  EXPECT_EQ(report.stored_type, "F32");
  EXPECT_EQ(report.files, std::vector<std::string>{"model.safetensors"});
  EXPECT_TRUE(report.ignored.empty());
  EXPECT_GT(report.weight_bytes, report.num_parameters * 4);
  EXPECT_GT(report.seconds, 0);
}

TEST(ModelLoad, SharedEmbeddingsMayHaveAnyOfTheirNames) {
  const Matrix expected = SampleLogits(BrokenModel());
  for (const char* name : {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight",
                           "lm_head.weight"}) {
    BrokenModel files;
    files.Tensor(kShared).name = name;
    ExpectEqual(SampleLogits(files), expected);
    // Or several of them at once, as torch's own files do.
    TensorToWrite again = files.Tensor(name);
    again.name = kShared;
    files.AddTensor(again);
    ExpectEqual(SampleLogits(files), expected);
  }
}

TEST(ModelLoad, SeparateTablesOfEncoderAndDecoder) {
  const Matrix expected = SampleLogits(BrokenModel());
  BrokenModel files;
  files.SetKey("share_encoder_decoder_embeddings", "false");
  files.SetKey("decoder_vocab_size", "290");
  for (const char* key : {"pad_token_id", "decoder_start_token_id"}) files.SetKey(key, "4");
  TensorToWrite target = files.Tensor(kShared);
  files.Tensor(kShared).name = "model.encoder.embed_tokens.weight";
  target.name = "model.decoder.embed_tokens.weight";
  target.shape = "[290, 32]";
  target.bytes.resize(290 * 32 * 4);
  files.AddTensor(target);
  TensorToWrite& bias = files.Tensor("final_logits_bias");
  bias.shape = "[1, 290]";
  bias.bytes.resize(290 * 4);
  const Matrix logits = SampleLogits(files);
  ASSERT_EQ(logits.cols(), 290);
  for (int64_t r = 0; r < logits.rows(); ++r) {
    for (int64_t c = 0; c < 290; ++c) ASSERT_NEAR(logits.row(r)[c], expected.row(r)[c], 1e-5);
  }
  files.RemoveTensor("model.decoder.embed_tokens.weight");
  EXPECT_THAT(Message(files.LoadStatus()), HasSubstr("model.decoder.embed_tokens.weight"));
}

TEST(ModelLoad, AnOutputProjectionOfItsOwn) {
  const Matrix tied = SampleLogits(BrokenModel());
  BrokenModel files;
  files.SetKey("tie_word_embeddings", "false");
  EXPECT_THAT(Message(files.LoadStatus()), HasSubstr("lm_head.weight"));
  TensorToWrite output = files.Tensor(kShared);
  output.name = "lm_head.weight";
  files.AddTensor(output);
  ExpectEqual(SampleLogits(files), tied);
  files.Tensor("lm_head.weight").bytes.assign(320 * 32 * 4, '\0');
  const Matrix bias_only = SampleLogits(files);
  std::vector<float> bias(320);
  std::memcpy(bias.data(), files.Tensor("final_logits_bias").bytes.data(), 320 * 4);
  for (int64_t c = 0; c < 320; ++c) EXPECT_EQ(bias_only.row(0)[c], bias[static_cast<size_t>(c)]);
}

TEST(ModelLoad, ALogitsBiasThatIsNotStoredIsZero) {
  BrokenModel zeros, without;
  zeros.Tensor("final_logits_bias").bytes.assign(320 * 4, '\0');
  without.RemoveTensor("final_logits_bias");
  ExpectEqual(SampleLogits(without), SampleLogits(zeros));
}

// The table that is computed where none is stored: sines, then cosines (marian.cc).
std::string Sinusoids(int64_t positions, int64_t size) {
  std::vector<float> table;
  for (int64_t p = 0; p < positions; ++p) {
    for (int64_t c = 0; c < size; ++c) {
      const double angle =
          static_cast<double>(p) /
          std::pow(10000.0, 2.0 * static_cast<double>(c % (size / 2)) / static_cast<double>(size));
      table.push_back(static_cast<float>(c < size / 2 ? std::sin(angle) : std::cos(angle)));
    }
  }
  return Floats(table);
}

TEST(ModelLoad, StoredPositionsAreUsed) {
  const Matrix computed = SampleLogits(BrokenModel());
  for (const char* name :
       {"model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight"}) {
    BrokenModel files;
    files.AddTensor({name, "F32", "[128, 32]", Sinusoids(128, 32)});
    LoadReport report;
    const auto model = files.Load(&report);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_TRUE(report.ignored.empty());
    EXPECT_EQ(report.used.size(), files.tensors().size());
    ExpectEqual(SampleLogits(**model), computed);
    // Another table gives another model, as it does in transformers.
    files.Tensor(name).bytes.assign(128 * 32 * 4, '\0');
    const Matrix without = SampleLogits(files);
    EXPECT_NE(std::memcmp(without.data(), computed.data(), 320 * sizeof(float)), 0) << name;
  }
}

TEST(ModelLoad, StoredPositionsOfAnotherShapeAreRefused) {
  BrokenModel files;
  files.AddTensor({"model.decoder.embed_positions.weight", "F32", "[64, 32]", Sinusoids(64, 32)});
  EXPECT_EQ(Message(files.LoadStatus()),
            "model.safetensors: tensor 'model.decoder.embed_positions.weight': expected shape "
            "[128, 32], found [64, 32]");
}

// A body that was saved without its head has names without "model.", and no bias.
TEST(ModelLoad, ABodyAlone) {
  BrokenModel body, whole;
  body.RemoveTensor("final_logits_bias");
  whole.RemoveTensor("final_logits_bias");
  for (TensorToWrite& tensor : body.tensors()) tensor.name.erase(0, std::string("model.").size());
  ExpectEqual(SampleLogits(body), SampleLogits(whole));
  const TensorToWrite positions = {"encoder.embed_positions.weight", "F32", "[128, 32]",
                                   std::string(128 * 32 * 4, '\0')};
  body.AddTensor(positions);
  const Matrix moved = SampleLogits(body), expected = SampleLogits(whole);
  EXPECT_NE(std::memcmp(moved.data(), expected.data(), 320 * sizeof(float)), 0);

  // Beside a whole model the same name is one that transformers never looks for.
  whole.AddTensor(positions);
  LoadReport report;
  const auto model = whole.Load(&report);
  ASSERT_TRUE(model.ok()) << model.status();
  ExpectEqual(SampleLogits(**model), expected);
  ASSERT_EQ(report.ignored.size(), 1u);
  EXPECT_THAT(report.ignored[0], HasSubstr("encoder.embed_positions.weight: stands outside"));
}

TEST(ModelLoad, AliasesThatDifferGoAsInTransformers) {
  // Measured with transformers 4.48.3: the decoder's name wins over the encoder's, and that over
  // the shared one; the output projection's never does.
  const std::vector<std::string> names = {"model.decoder.embed_tokens.weight",
                                          "model.encoder.embed_tokens.weight", kShared,
                                          "lm_head.weight"};
  const Matrix expected = SampleLogits(BrokenModel());
  for (size_t best = 0; best + 1 < names.size(); ++best) {
    BrokenModel files;
    files.Tensor(kShared).name = names[best];
    for (size_t other = best + 1; other < names.size(); ++other) {
      TensorToWrite zeros = files.Tensor(names[best]);
      zeros.name = names[other];
      zeros.bytes.assign(zeros.bytes.size(), '\0');
      files.AddTensor(zeros);
    }
    LoadReport report;
    const auto model = files.Load(&report);
    ASSERT_TRUE(model.ok()) << model.status();
    ExpectEqual(SampleLogits(**model), expected);
    EXPECT_EQ(report.ignored.size(), names.size() - best - 1);
    EXPECT_THAT(report.ignored[0], HasSubstr("differs from " + names[best]));
  }
  BrokenModel files;
  TensorToWrite alias = files.Tensor(kShared);
  alias.name = "lm_head.weight";
  alias.shape = "[32, 320]";
  files.AddTensor(alias);
  EXPECT_EQ(
      Message(files.LoadStatus()),
      "model.safetensors: tensor 'lm_head.weight': expected shape [320, 32], found [32, 320]");
}

// Both torch forms and safetensors hold the same numbers.
TEST(ModelLoad, PytorchFilesFromBeforeTorch16) {
  const BrokenModel files;
  PickleWriter state;
  state.Raw("}(");
  std::vector<LegacyStorage> storages;
  for (const TensorToWrite& tensor : files.tensors()) {
    const std::vector<int64_t> shape = Json::Parse(tensor.shape, "shape").value().AsInts().value();
    PickleWriter::Tensor pickled;
    pickled.key = std::to_string(storages.size());
    pickled.is_legacy = true;
    pickled.elements = static_cast<int64_t>(tensor.bytes.size() / 4);
    pickled.shape = shape;
    pickled.strides.assign(shape.size(), 1);
    for (size_t d = shape.size(); d-- > 1;) pickled.strides[d - 1] = pickled.strides[d] * shape[d];
    state.String(tensor.name).Rebuild(pickled);
    storages.push_back({pickled.key, pickled.elements, tensor.bytes});
  }
  const TemporaryFolder folder;
  folder.Write("config.json", files.config());
  folder.Write("pytorch_model.bin", LegacyTorchFile(state.Raw("u").Stop(), storages));
  LoadReport report;
  const auto model = Model::Load(ModelDirectory::Open(folder.path()).value(), {}, &report);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(report.files, std::vector<std::string>{"pytorch_model.bin"});
  ExpectEqual(SampleLogits(**model), SampleLogits(files));
}

TEST(ModelLoad, HalfPrecisionWidensExactly) {
  BrokenModel halves, widened;
  for (TensorToWrite& tensor : halves.tensors()) {
    tensor.bytes = HalvesFromFloats(tensor.bytes);
    tensor.type = "F16";
  }
  for (TensorToWrite& tensor : widened.tensors()) {
    // Cut to what a half keeps: ten bits of mantissa, and nothing below its smallest normal number.
    for (size_t i = 0; i < tensor.bytes.size(); i += 4) {
      uint32_t bits;
      std::memcpy(&bits, tensor.bytes.data() + i, 4);
      bits &= (bits >> 23 & 0xff) > 127 - 15 ? 0xffffe000u : 0x80000000u;
      std::memcpy(&tensor.bytes[i], &bits, 4);
    }
  }
  ExpectEqual(SampleLogits(halves), SampleLogits(widened));
  LoadReport report;
  ASSERT_TRUE(halves.Load(&report).ok());
  EXPECT_EQ(report.stored_type, "F16");
}

TEST(ModelLoad, AMissingTensorIsNamed) {
  const BrokenModel complete;
  for (const TensorToWrite& tensor : complete.tensors()) {
    if (tensor.name == "final_logits_bias") continue;
    BrokenModel files;
    files.RemoveTensor(tensor.name);
    const absl::Status status = files.LoadStatus();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << tensor.name;
    EXPECT_THAT(Message(status), HasSubstr("'" + tensor.name + "'"));
    ASSERT_TRUE(GetErrorDetail(status).has_value()) << status;
  }
}

TEST(ModelLoad, AWrongShapeIsNamed) {
  BrokenModel files;
  files.Tensor(kQuery).shape = "[16, 64]";
  absl::Status status = files.LoadStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), AllOf(HasSubstr("model.safetensors"), HasSubstr(kQuery),
                                     HasSubstr("[32, 32]"), HasSubstr("[16, 64]")));

  // A configuration that claims another size than the tensors have.
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"d_model", "64"},
                                                        {"vocab_size", "640"},
                                                        {"encoder_ffn_dim", "65"},
                                                        {"d_model", "16384"}}) {
    BrokenModel other;
    if (key == "vocab_size") other.SetKey("decoder_vocab_size", value);
    other.SetKey(key, value);
    status = other.LoadStatus();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << key << ": " << status;
    EXPECT_THAT(Message(status),
                AllOf(HasSubstr("model.safetensors"), HasSubstr("expected"), HasSubstr("found")))
        << key;
  }
  BrokenModel vector;
  vector.Tensor("model.encoder.layers.0.fc1.bias").shape = "[64, 1]";
  EXPECT_THAT(Message(vector.LoadStatus()),
              AllOf(HasSubstr("fc1.bias"), HasSubstr("[64]"), HasSubstr("[64, 1]")));
}

TEST(ModelLoad, LayersMoreOrFewerThanStored) {
  BrokenModel more, fewer;
  more.SetKey("encoder_layers", "3");
  EXPECT_THAT(Message(more.LoadStatus()), HasSubstr("model.encoder.layers.2."));
  EXPECT_EQ(more.LoadStatus().code(), absl::StatusCode::kNotFound);
  fewer.SetKey("decoder_layers", "1");
  EXPECT_THAT(Message(fewer.LoadStatus()), HasSubstr("model.decoder.layers.1."));
  EXPECT_EQ(fewer.LoadStatus().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ModelLoad, AnUnknownTensorIsNamed) {
  BrokenModel files;
  files.AddTensor({"model.encoder.layer_norm.weight", "F32", "[32]", std::string(128, '\0')});
  const absl::Status status = files.LoadStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), HasSubstr("model.encoder.layer_norm.weight"));
}

TEST(ModelLoad, AWrongTypeIsNamed) {
  BrokenModel files;
  files.Tensor(kQuery).type = "I32";
  const absl::Status status = files.LoadStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Message(status), AllOf(HasSubstr(kQuery), HasSubstr("floating"), HasSubstr("I32")));
}

TEST(ModelLoad, ATruncatedFileIsDataLoss) {
  const BrokenModel files;
  for (size_t cut : {size_t{1}, size_t{5000}, size_t{200000}}) {
    LoadReport report;
    const absl::Status status = files.Load(&report, cut).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << cut << ": " << status;
    EXPECT_THAT(Message(status), HasSubstr("model.safetensors"));
    EXPECT_EQ(GetErrorDetail(status)->reason, "CHECKPOINT_CORRUPT");
  }
}

TEST(ModelLoad, NumbersThatAreNotFiniteAreDataLoss) {
  for (const char* name :
       {kShared, kQuery, "model.encoder.layers.0.self_attn_layer_norm.bias", "final_logits_bias"}) {
    BrokenModel files;
    files.Tensor(name).bytes.replace(8, 4, Floats({std::numeric_limits<float>::quiet_NaN()}));
    const absl::Status status = files.LoadStatus();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << name;
    EXPECT_THAT(
        Message(status),
        AllOf(HasSubstr(name), HasSubstr("expected finite numbers, found NaN at element 2")))
        << name;
  }
}

// The bundled model: float16, another size. Its weights may be exchanged, so nothing about what it
// says is tested.
TEST(ModelLoad, TheBundledModel) {
  const auto directory = ModelDirectory::Open(std::string(ATTEND_SOURCE_DIR) + "/models/en-fr");
  ASSERT_TRUE(directory.ok()) << directory.status();
  LoadReport report;
  const auto model = Model::Load(*directory, {}, &report);
  ASSERT_TRUE(model.ok()) << model.status();
  const Matrix logits = SampleLogits(**model);
  EXPECT_EQ(logits.cols(), (*model)->spec().target_vocab_size);
  for (int64_t i = 0; i < logits.rows() * logits.cols(); ++i)
    ASSERT_TRUE(std::isfinite(logits.data()[i]));
}

}  // namespace
}  // namespace attend
