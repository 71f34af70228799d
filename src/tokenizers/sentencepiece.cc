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
#include "tokenizers/sentencepiece.h"
}

struct ci_spm {
  sentencepiece::SentencePieceProcessor processor;
};

namespace {

ci_status library_failed(const char *where, const char *action, const char *message, ci_error *err) {
  return ci_fail(err, CI_EFILE, where, "%s: %s", action, message);
}

/* In protobuf's wire format a later occurrence of a submessage is merged into the earlier one, so four bytes at the end
 * of the file change one field: ModelProto.normalizer_spec (3) { add_dummy_prefix (3) = false }. */
const char kNoDummyPrefix[] = "\x1A\x02\x18\x00";

} // namespace

extern "C" ci_status ci_spm_open(const char *path, bool dummy_prefix, ci_spm **spm, ci_error *err) {
  *spm = nullptr;
  ci_mapping mapping;
  ci_status status = ci_map_file(path, &mapping, err);
  if (status) return status;
  try {
    std::string bytes(reinterpret_cast<const char *>(mapping.bytes), mapping.length);
    if (!dummy_prefix) bytes.append(kNoDummyPrefix, 4);
    auto opened = std::make_unique<ci_spm>();
    auto result = opened->processor.LoadFromSerializedProto(bytes);
    if (result.ok() && !bytes.empty()) {
      *spm = opened.release();
    } else {
      status = ci_fail(err, CI_EFILE, path, "is not a SentencePiece model (%zu bytes): %s", mapping.length,
                       result.error_message());
    }
  } catch (const std::bad_alloc &) { status = ci_fail_memory(err); } catch (const std::exception &problem) {
    status = library_failed(path, "cannot be loaded", problem.what(), err);
  }
  ci_unmap_file(&mapping);
  return status;
}

extern "C" void ci_spm_close(ci_spm *spm) {
  delete spm;
}

extern "C" ci_status ci_spm_encode(const ci_spm *spm, const char *text, size_t length,
                                   ci_status (*take)(void *context, ci_piece piece), void *context, ci_error *err) {
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
