// What a chat template has to be given so that it renders, and where it shows messages of the system.
#pragma once

#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

#include "text/chat_template.h"

namespace minnow {

// What a chat template shows of messages of the system. What it drops in silence counts as what it refuses.
struct SystemPlaces {
  bool first = true;    // one before everything else
  bool several = true;  // another one right behind it
  bool late = true;     // one among the turns

  bool operator==(const SystemPlaces&) const = default;
};

struct ToolForm {
  bool empty_list = false;  // no tools are a list without any: the template goes through them without asking
  bool functions = false;   // FireFunction: they are JSON text, "functions", and "datetime" is the day
};

struct CallForm {
  bool text_arguments = false;  // arguments are JSON text
  bool no_content = false;      // the content of a message with calls is none instead of empty
};

// A value that is made once, by whoever asks for it first.
template <typename T>
class Learned {
 public:
  template <typename Make>
  const T& get(Make make) const {
    std::call_once(once_, [&] { value_ = make(); });
    return value_;
  }

 private:
  mutable std::once_flag once_;
  mutable T value_{};
};

// Templates are written against what their authors passed: most take no tools as none and arguments of calls
// as objects, some do not. Each thing is found out when it is first asked for, by rendering small chats, at
// most 15 in all; what the template's text does not speak of costs none. May be used from many threads.
class TemplateNeeds {
 public:
  // `chat_template`, whose text `source` is, must outlive it.
  TemplateNeeds(const ChatTemplate& chat_template, std::string_view source, std::string bos, std::string eos);

  // The input as the template wants it; where nothing makes it render, as it was. Variables that `extra` has
  // are left alone.
  ChatTemplateInput fitted(ChatTemplateInput input) const;

  // Where a template does not even show what a user says, it is left alone: true, and all of them.
  bool shows_first_system() const;
  SystemPlaces system_places() const;

 private:
  ToolForm find_tool_form() const;
  CallForm find_call_form() const;
  bool finds_descriptions_missing() const;
  SystemPlaces find_places() const;
  bool shows_question() const;
  ChatTemplateInput with_tools_as_wanted(ChatTemplateInput input) const;
  ChatTemplateInput with_functions_as_wanted(ChatTemplateInput input) const;
  std::string rendered(ChatTemplateInput input) const;
  bool shows(OrderedJson messages, std::initializer_list<std::string_view> texts) const;

  const ChatTemplate& template_;
  std::string bos_, eos_;
  bool speaks_of_tools_, speaks_of_functions_, speaks_of_calls_;
  Learned<ToolForm> tool_form_;
  Learned<CallForm> call_form_;
  Learned<bool> wants_descriptions_;  // of every tool, though APIs let them be absent
  Learned<bool> shows_question_, first_system_;
  Learned<SystemPlaces> places_;
};

// Whether there are calls of tools, or results of them, among the messages.
bool has_tool_turns(const OrderedJson& messages);

}  // namespace minnow
