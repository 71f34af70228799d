/* See sentencepiece.h. No exception leaves this file, and the library's own messages on stderr are switched off by
 * loading from memory and by handing every status on. */
#include <exception>
#include <new>
#include <sentencepiece_processor.h>
#include <memory>
#include <string>
#include <vector>
extern "C" {
#include "base/file.h"
#include "base/memory.h"
#include "tokenizers/sentencepiece.h"
}

struct ci_spm {
  sentencepiece::SentencePieceProcessor processor;
  size_t longest_text; /* bytes */
};

namespace {

ci_status library_failed(const char *where, const char *action, const char *message, ci_error *err) {
  return ci_fail(err, CI_EFILE, where, "%s: %s", action, message);
}

/* In protobuf's wire format a later occurrence of a submessage is merged into the earlier one, so four bytes at the end
 * of the file change one field: ModelProto.normalizer_spec (3) { add_dummy_prefix (3) = false }. */
const char kNoDummyPrefix[] = "\x1A\x02\x18\x00";

/* Real ones have 10 MB at most. */
const size_t kLargestModel = 256u << 20;

/* The library joins unknown characters that follow each other one by one, in time that grows with the square of their
 * number: 2 s for this many, minutes for a megabyte. With byte fallback there is nothing to join. */
const size_t kLongestText = 128u << 10;

ci_status load(const char *path, const char *bytes, size_t length, bool dummy_prefix, ci_spm **spm, ci_error *err) {
  try {
    std::string whole;
    whole.reserve(length + sizeof kNoDummyPrefix);
    whole.assign(bytes, length);
    if (!dummy_prefix) whole.append(kNoDummyPrefix, 4);
    auto opened = std::make_unique<ci_spm>();
    auto result = opened->processor.LoadFromSerializedProto(whole);
    if (!result.ok())
      return ci_fail(err, CI_EFILE, path, "is not a SentencePiece model (%zu bytes): %s", length,
                     result.error_message());
    bool bytes_known = opened->processor.IsByte(opened->processor.PieceToId("<0x00>"));
    opened->longest_text = bytes_known ? SIZE_MAX : kLongestText;
    *spm = opened.release();
    return CI_OK;
  } catch (const std::bad_alloc &) { return ci_fail_memory(err); } catch (const std::exception &problem) {
    return library_failed(path, "cannot be loaded", problem.what(), err);
  }
}

} // namespace

extern "C" ci_status ci_spm_open(const char *path, bool dummy_prefix, ci_spm **spm, ci_error *err) {
  *spm = nullptr;
  char *bytes;
  size_t length;
  /* read, not mapped: what was checked is what is loaded, whatever happens to the file meanwhile */
  ci_status status = ci_read_file(path, kLargestModel, &bytes, &length, err);
  if (status) return status;
  status = ci_spm_check(path, reinterpret_cast<const uint8_t *>(bytes), length, err);
  if (!status) status = load(path, bytes, length, dummy_prefix, spm, err);
  ci_free(bytes);
  return status;
}

extern "C" void ci_spm_close(ci_spm *spm) {
  delete spm;
}

extern "C" ci_status ci_spm_encode(const ci_spm *spm, const char *text, size_t length,
                                   ci_status (*take)(void *context, ci_piece piece), void *context, ci_error *err) {
  if (length > spm->longest_text)
    return ci_fail(err, CI_EINVAL, NULL, "a text of %zu bytes is too long for this tokenizer, expected at most %zu",
                   length, spm->longest_text);
  try {
    std::vector<std::string> pieces;
    auto result = spm->processor.Encode(absl::string_view(text, length), &pieces);
    if (!result.ok()) return library_failed("sentencepiece", "cannot encode", result.error_message(), err);
    for (const std::string &piece : pieces) {
      ci_status status = take(context, ci_piece{piece.data(), piece.size()});
      if (status) return status;
    }
    return CI_OK;
  } catch (const std::bad_alloc &) { return ci_fail_memory(err); } catch (const std::exception &problem) {
    return library_failed("sentencepiece", "cannot encode", problem.what(), err);
  }
}

extern "C" ci_status ci_spm_decode(const ci_spm *spm, const ci_piece *pieces, size_t count, ci_text *text,
                                   ci_error *err) {
  if (!count) return CI_OK;
  try {
    std::vector<std::string> list;
    list.reserve(count);
    for (size_t i = 0; i < count; i++) list.emplace_back(pieces[i].text, pieces[i].length);
    std::string decoded;
    auto result = spm->processor.Decode(list, &decoded);
    if (!result.ok()) return library_failed("sentencepiece", "cannot decode", result.error_message(), err);
    ci_text_add_n(text, decoded.data(), decoded.size());
    return CI_OK;
  } catch (const std::bad_alloc &) { return ci_fail_memory(err); } catch (const std::exception &problem) {
    return library_failed("sentencepiece", "cannot decode", problem.what(), err);
  }
}

extern "C" int32_t ci_spm_count(const ci_spm *spm) {
  return spm->processor.GetPieceSize();
}

extern "C" ci_piece ci_spm_piece(const ci_spm *spm, int32_t id) {
  const std::string &piece = spm->processor.IdToPiece(id);
  return ci_piece{piece.data(), piece.size()};
}

extern "C" int32_t ci_spm_id(const ci_spm *spm, const char *piece, size_t length) {
  return spm->processor.PieceToId(absl::string_view(piece, length));
}
