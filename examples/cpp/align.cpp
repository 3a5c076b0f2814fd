// Landmarks, pose and blendshapes of a face, in C++ with ONNX Runtime and one ONNX file:
//
//     ddfa models convert default --to onnx-full --input image -o face.onnx
//     align face.onnx photo.ppm X0 Y0 X1 Y1
//
// The box is that of a face detector, in pixels; photo.ppm is a binary PPM (convert photo.jpg photo.ppm). Prints one
// JSON object. docs/onnx.md describes the inputs and outputs.

#include <onnxruntime_cxx_api.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb;  // height x width x 3
};

Image read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  Image image;
  int largest = 0;
  file >> magic >> image.width >> image.height >> largest;
  file.get();  // one white space before the pixels
  if (!file || magic != "P6" || largest != 255 || image.width < 1 || image.height < 1)
    throw std::runtime_error(path + " is not a binary PPM with 8 bits");
  image.rgb.resize(static_cast<size_t>(image.width * image.height * 3));
  file.read(reinterpret_cast<char*>(image.rgb.data()), static_cast<std::streamsize>(image.rgb.size()));
  if (!file) throw std::runtime_error(path + " is truncated");
  return image;
}

// [[a, b, c], ...] of an array of rows.
std::string json_rows(const float* values, size_t rows, size_t columns) {
  std::ostringstream text;
  text << "[";
  for (size_t i = 0; i < rows; ++i) {
    text << (i ? ", [" : "[");
    for (size_t j = 0; j < columns; ++j) text << (j ? ", " : "") << values[i * columns + j];
    text << "]";
  }
  text << "]";
  return text.str();
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

int run(int argc, char** argv) {
  if (argc != 7) throw std::runtime_error("usage: align face.onnx photo.ppm X0 Y0 X1 Y1");
  Image image = read_ppm(argv[2]);
  std::array<float, 4> box{};
  for (size_t i = 0; i < box.size(); ++i) box[i] = std::strtof(argv[3 + i], nullptr);

  Ort::Env env(ORT_LOGGING_LEVEL_WARNING, "openddfa");
  Ort::SessionOptions options;
#ifdef _WIN32
  const std::wstring model(argv[1], argv[1] + std::char_traits<char>::length(argv[1]));
  Ort::Session session(env, model.c_str(), options);
#else
  Ort::Session session(env, argv[1], options);
#endif
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const std::array<int64_t, 3> image_shape{image.height, image.width, 3};
  const std::array<int64_t, 1> box_shape{4};
  std::array<Ort::Value, 2> inputs{
      Ort::Value::CreateTensor<uint8_t>(memory, image.rgb.data(), image.rgb.size(), image_shape.data(), 3),
      Ort::Value::CreateTensor<float>(memory, box.data(), box.size(), box_shape.data(), 1)};
  const std::array<const char*, 2> input_names{"image", "box"};
  const std::array<const char*, 4> output_names{"landmarks", "rotation", "blendshapes", "next_box"};
  const auto outputs = session.Run(Ort::RunOptions{nullptr}, input_names.data(), inputs.data(), inputs.size(),
                                   output_names.data(), output_names.size());

  Ort::AllocatorWithDefaultOptions allocator;
  const auto listed = session.GetModelMetadata().LookupCustomMetadataMapAllocated("blendshapes", allocator);
  const auto names = split(listed.get(), ',');
  const float* weights = outputs[2].GetTensorData<float>();
  std::cout << "{\"landmarks\": " << json_rows(outputs[0].GetTensorData<float>(), 68, 3)
            << ", \"rotation\": " << json_rows(outputs[1].GetTensorData<float>(), 3, 3) << ", \"blendshapes\": {";
  for (size_t i = 0; i < names.size(); ++i) std::cout << (i ? ", \"" : "\"") << names[i] << "\": " << weights[i];
  // In a video, this is the box for the next frame: no detector is needed while the face stays in view.
  std::cout << "}, \"next_box\": " << json_rows(outputs[3].GetTensorData<float>(), 1, 4) << "}\n";
  return 0;
}

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {  // Ort::Exception is one
    std::cerr << "align: " << error.what() << "\n";
    return 2;
  }
}
