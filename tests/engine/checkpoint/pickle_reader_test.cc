// The pickle reader: what torch writes is understood; whatever else a pickle may ask for is
// refused, by name.
#include "engine/checkpoint/pickle_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/engine/checkpoint/checkpoint_files.h"

namespace attend {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kCorrupt[] = "DATA_LOSS CHECKPOINT_CORRUPT m.bin";
constexpr char kUnsupported[] = "UNIMPLEMENTED CHECKPOINT_UNSUPPORTED m.bin";

absl::StatusOr<std::vector<PickledTensor>> Parse(const std::string& pickle) {
  const std::vector<uint8_t> bytes(pickle.begin(), pickle.end());
  return ParseStateDict(bytes, "m.bin");
}

std::string Outcome(const std::string& pickle) { return Describe(Parse(pickle).status()); }
std::string Message(const std::string& pickle) {
  return std::string(Parse(pickle).status().message());
}

PickleWriter::Tensor Matrix23() {
  PickleWriter::Tensor tensor;
  tensor.elements = 6;
  tensor.shape = {2, 3};
  tensor.strides = {3, 1};
  return tensor;
}

TEST(PickleReaderTest, ReadsAStateDict) {
  PickleWriter::Tensor half = Matrix23();
  half.key = "17";
  half.offset = 4;
  half.storage_type = "HalfStorage";
  const auto tensors = Parse(PickleWriter()
                                 .Global("collections", "OrderedDict")
                                 .Raw(")R(")
                                 .String("w")
                                 .Rebuild(Matrix23())
                                 .String("v")
                                 .Rebuild(half)
                                 .Raw("u}")
                                 .String("_metadata")
                                 .Raw("}sb")
                                 .Stop());
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 2u);
  EXPECT_EQ((*tensors)[0].name, "w");
  EXPECT_EQ((*tensors)[0].type, DataType::kF32);
  EXPECT_EQ((*tensors)[0].storage, "0");
  EXPECT_EQ((*tensors)[0].storage_elements, 6);
  EXPECT_THAT((*tensors)[0].shape, ElementsAre(2, 3));
  EXPECT_THAT((*tensors)[0].strides, ElementsAre(3, 1));
  EXPECT_EQ((*tensors)[1].name, "v");
  EXPECT_EQ((*tensors)[1].type, DataType::kF16);
  EXPECT_EQ((*tensors)[1].storage, "17");
  EXPECT_EQ((*tensors)[1].offset, 4);
}

TEST(PickleReaderTest, ReadsParametersAndIntegersOfEveryWidth) {
  const auto tensors = Parse(PickleWriter()
                                 .Raw("}")
                                 .String("w")
                                 .Global("torch._utils", "_rebuild_parameter")
                                 .Global("torch._utils", "_rebuild_tensor_v2")
                                 .Raw("((")
                                 .String("storage")
                                 .Global("torch", "BFloat16Storage")
                                 .String("0")
                                 .String("cpu")
                                 .Raw(std::string("J\xff\x00\x01\x00", 5))  // 65791
                                 .Raw("tQ")
                                 .Raw("K\x05")
                                 .Raw(std::string("M\x00\x01\x8a\x05\x01\x02\x03\x04\x05\x86", 11))
                                 .Raw(std::string("\x8a\x00J\xff\xff\xff\xff\x86\x89N", 10))
                                 .Raw("tR\x88N\x87R")
                                 .Raw("s")
                                 .Stop());
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 1u);
  EXPECT_EQ((*tensors)[0].type, DataType::kBF16);
  EXPECT_EQ((*tensors)[0].storage_elements, 65791);
  EXPECT_EQ((*tensors)[0].offset, 5);
  EXPECT_THAT((*tensors)[0].shape, ElementsAre(256, 0x0504030201));
  EXPECT_THAT((*tensors)[0].strides, ElementsAre(0, -1));
}

TEST(PickleReaderTest, EveryStorageType) {
  for (const auto& [name, type] :
       std::vector<std::pair<std::string, DataType>>{{"FloatStorage", DataType::kF32},
                                                     {"HalfStorage", DataType::kF16},
                                                     {"BFloat16Storage", DataType::kBF16},
                                                     {"DoubleStorage", DataType::kF64},
                                                     {"LongStorage", DataType::kI64},
                                                     {"IntStorage", DataType::kI32},
                                                     {"ShortStorage", DataType::kI16},
                                                     {"CharStorage", DataType::kI8},
                                                     {"ByteStorage", DataType::kU8},
                                                     {"BoolStorage", DataType::kBool}}) {
    PickleWriter::Tensor tensor = Matrix23();
    tensor.storage_type = name;
    const auto tensors = Parse(PickleWriter::StateDict("w", tensor));
    ASSERT_TRUE(tensors.ok()) << name << tensors.status();
    EXPECT_EQ((*tensors)[0].type, type);
  }
}

TEST(PickleReaderTest, RefusesEveryOtherNameByName) {
  for (const auto& [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"posix", "system"},
                                                        {"builtins", "eval"},
                                                        {"__builtin__", "exec"},
                                                        {"subprocess", "Popen"},
                                                        {"torch", "load"},
                                                        {"torch.storage", "_load_from_bytes"},
                                                        {"torch._utils", "_rebuild_tensor_v3"},
                                                        {"torch", "ComplexFloatStorage"},
                                                        {"collections", "defaultdict"},
                                                        {"numpy.core.multiarray", "_reconstruct"},
                                                        {"torch", "floatstorage"},
                                                        {"", ""},
                                                        {"torch._utils\r", "_rebuild_tensor_v2"}}) {
    const std::string pickle =
        PickleWriter().Global(module, name).String("true").Raw("\x85R").Stop();
    EXPECT_EQ(Outcome(pickle), kUnsupported) << module << "." << name;
    if (module.find('\r') == std::string::npos) {
      EXPECT_THAT(Message(pickle), HasSubstr("'" + module + "." + name + "', which is refused"));
    }
  }
}

TEST(PickleReaderTest, RefusesCallsOfWhatIsNoFunction) {
  EXPECT_EQ(Outcome(PickleWriter().String("os.system").Raw(")R").Stop()), kCorrupt);
  EXPECT_EQ(Outcome(PickleWriter().Raw("})R").Stop()), kCorrupt);
  EXPECT_EQ(Outcome(PickleWriter().Rebuild(Matrix23()).Raw(")R").Stop()), kCorrupt);
  EXPECT_EQ(Outcome(PickleWriter().Global("torch", "FloatStorage").Raw(")R").Stop()), kCorrupt);
  EXPECT_EQ(Outcome(PickleWriter().Global("collections", "OrderedDict").Raw("]R").Stop()),
            kCorrupt);
  EXPECT_EQ(Outcome(PickleWriter().Global("collections", "OrderedDict").Raw("}\x85R").Stop()),
            kUnsupported);
  for (const char* arguments : {")", "N\x85", "NNN\x87", "(NNNNNNt", "(NNNNNNNt"}) {
    EXPECT_EQ(Outcome(PickleWriter()
                          .Global("torch._utils", "_rebuild_tensor_v2")
                          .Raw(arguments)
                          .Raw("R")
                          .Stop()),
              kCorrupt);
    EXPECT_EQ(Outcome(PickleWriter()
                          .Global("torch._utils", "_rebuild_parameter")
                          .Raw(arguments)
                          .Raw("R")
                          .Stop()),
              kCorrupt);
  }
}

TEST(PickleReaderTest, RefusesOpcodesThatStateDictsLack) {
  // INST, OBJ, NEWOBJ, EXT1, PERSID, FLOAT, STRING, DUP, POP, POP_MARK, NEXT_BUFFER, STACK_GLOBAL,
  // FRAME, MEMOIZE ...
  for (const char op :
       {'i', 'o', '\x81', '\x82', 'P', 'F', 'S', '2', '0', '1', '\x97', '\x93', '\x95', '\x94', 'I',
        'L', 'V', 'd',    'l',    'p', 'g', 'B', 'C', 'U', 'T', '\xff', '\0',   '\x8b', '\x8f'}) {
    EXPECT_EQ(Outcome(PickleWriter().Raw(std::string(1, op)).Stop()), kUnsupported)
        << static_cast<int>(op);
  }
  EXPECT_EQ(Outcome("\x80\x04}."), kUnsupported);
  EXPECT_EQ(Outcome("}."), kCorrupt);
  EXPECT_EQ(Outcome(""), kCorrupt);
}

TEST(PickleReaderTest, RefusesWhatIsNoStateDict) {
  EXPECT_EQ(Outcome(PickleWriter().Raw("N").Stop()), kUnsupported);
  EXPECT_EQ(Outcome(PickleWriter().Raw("]").Stop()), kUnsupported);
  EXPECT_EQ(Outcome(PickleWriter().Raw("}K\x01Ns").Stop()), kUnsupported);
  EXPECT_EQ(Outcome(PickleWriter().Raw("}").String("").Rebuild(Matrix23()).Raw("s").Stop()),
            kUnsupported);
  EXPECT_EQ(Outcome(PickleWriter().Raw("}").String("epoch").Raw("K\x03s").Stop()),
            std::string(kUnsupported) + " epoch");
  EXPECT_THAT(
      Message(PickleWriter().Raw("}").String("model").Raw("}s").Stop()),
      AllOf(HasSubstr("expected a tensor, found a dict"), HasSubstr("save its state dict alone")));
  EXPECT_EQ(Outcome(PickleWriter()
                        .Raw("}")
                        .String("w")
                        .Rebuild(Matrix23())
                        .Raw("s")
                        .String("w")
                        .Rebuild(Matrix23())
                        .Raw("s")
                        .Stop()),
            std::string(kCorrupt) + " w");
  EXPECT_TRUE(Parse(PickleWriter().Raw("}").Stop())->empty());
}

TEST(PickleReaderTest, StackAndMemoAreChecked) {
  for (const char* ops :
       {"",         "s",       "u",         "t",    "R",     "b",        "Q",
        "a",        "e",       "\x85",      "\x86", "\x87",  "q\x01",    "h\x01",
        "(",        "((",      "}(",        "}(R",  "}(NNs", "}(\x85",   "}(Nu",
        "}NNu",     "N}",      "NNs",       "]NNs", "}Na",   "]N\x88s",  "(}q",
        "}}(\x86t", "}NN(stt", "}(N\x86tt", "NQ",   ")Q",    "(NNNNNtQ", "(q\x01t"}) {
    EXPECT_EQ(Outcome(PickleWriter().Raw(ops).Stop()), kCorrupt) << ops;
  }
  EXPECT_EQ(Outcome(PickleWriter().Raw("}").Stop() + "x"), kCorrupt);
  EXPECT_EQ(Outcome("\x80\x02}"), kCorrupt);
  // The largest slot costs no more than the smallest.
  EXPECT_TRUE(Parse(PickleWriter().Raw("}r\xff\xff\xff\xff").Stop()).ok());
  EXPECT_EQ(Outcome(PickleWriter().Raw("j\xff\xff\xff\xff").Stop()), kCorrupt);
}

TEST(PickleReaderTest, LengthsThatLie) {
  EXPECT_EQ(Outcome(PickleWriter().Raw("X\xff\xff\xff\xff").Stop()), kCorrupt);
  EXPECT_EQ(Outcome(PickleWriter().Raw("X\xff\xff\xff\x7f").Stop()), kCorrupt);
  EXPECT_EQ(Outcome(PickleWriter().Raw("\x8a\x09         ").Stop()), kCorrupt);
  EXPECT_EQ(Outcome(PickleWriter().Raw("\x8a\xff").Stop()), kCorrupt);
  EXPECT_EQ(Outcome(PickleWriter().Raw("c" + std::string(100000, 'x')).Stop()), kCorrupt);
  PickleWriter::Tensor tensor = Matrix23();
  tensor.key = std::string(65, '0');
  EXPECT_EQ(Outcome(PickleWriter::StateDict("w", tensor)), kCorrupt);
  tensor = Matrix23();
  tensor.shape = std::vector<int64_t>(17, 1);
  tensor.strides = tensor.shape;
  EXPECT_EQ(Outcome(PickleWriter::StateDict("w", tensor)), kCorrupt);
  tensor.shape = {2, 3};
  EXPECT_EQ(Outcome(PickleWriter::StateDict("w", tensor)), kCorrupt);
}

TEST(PickleReaderTest, EveryTruncationIsCorrupt) {
  const std::string pickle = PickleWriter::StateDict("w", Matrix23());
  ASSERT_TRUE(Parse(pickle).ok());
  for (size_t size = 0; size < pickle.size(); ++size)
    EXPECT_EQ(Outcome(pickle.substr(0, size)), kCorrupt) << size;
}

TEST(PickleReaderTest, BombsStaySmall) {
  // Tuples of tuples of tuples: exponential if written out, linear here.
  std::string laughs = ")";
  for (int i = 0; i < 10000; ++i) laughs += "q\x01h\x01h\x01\x87";
  EXPECT_EQ(Outcome(PickleWriter().Raw(laughs).Stop()), kUnsupported);
  // Nesting a hundred thousand deep.
  EXPECT_EQ(Outcome(PickleWriter().Raw("N" + std::string(100000, '\x85')).Stop()), kUnsupported);
  // A list that holds itself, a dict that holds itself.
  EXPECT_EQ(Outcome(PickleWriter()
                        .Raw("]q\x01h\x01"
                             "a")
                        .Stop()),
            kUnsupported);
  EXPECT_EQ(Outcome(PickleWriter().Raw("}q\x01").String("w").Raw("h\x01s").Stop()),
            std::string(kUnsupported) + " w");
  // Values without end.
  EXPECT_THAT(Message(PickleWriter().Raw(std::string(size_t{3} << 20, 'N')).Stop()),
              HasSubstr("more than 262144 values"));
  EXPECT_THAT(Message(PickleWriter().Raw(std::string(size_t{3} << 20, '(')).Stop()),
              HasSubstr("too many marks"));
  std::string gets = "Nq\x01";
  while (gets.size() < size_t{5} << 20) gets += "h\x01";
  EXPECT_THAT(Message(PickleWriter().Raw(gets).Stop()), HasSubstr("too deep"));
}

}  // namespace
}  // namespace attend
