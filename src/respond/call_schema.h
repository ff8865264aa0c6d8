// The schemas of some tools of a request within one document, to compile what refers to them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "text/grammar/token_constraint.h"

namespace minnow {

// The part of a tool, as in the OpenAI API, that says its name and parameters.
const OrderedJson& function_of(const OrderedJson& tool);
// Throws kInvalidInput where there is none that can be called; `number`: of the tool in the request.
std::string name_of_tool(const OrderedJson& tool, std::size_t number);

class CallSchema {
 public:
  // A schema of the arguments of a tool. Throws kInvalidInput for parameters that are none of an object.
  OrderedJson add(const OrderedJson& tool, const std::string& name);
  // The JSON pointer of the parameters of the tool that was added last.
  std::string last_place() const;

  // A schema to refer to by the name, which is no number.
  OrderedJson define(const std::string& name, OrderedJson schema);
  static std::string place_of(const std::string& name);

  const OrderedJson& at(const std::string& place) const { return document_.at(OrderedJson::json_pointer(place)); }

  // The same error, but where it has a place in the parameters of a tool it names that.
  Error told_of_tool(const Error& error) const;

  // These throw as ConstraintCompiler::compile, naming the tool.
  std::shared_ptr<const TokenConstraint> compile(ConstraintCompiler& compiler, OrderedJson schema) const;  // without white space
  // Where JSON in the shape ends at a mark, `json_without` is that mark's first character.
  std::shared_ptr<const TokenConstraint> compile(ConstraintCompiler& compiler, TextShape shape, char json_without) const;

 private:
  std::shared_ptr<const TokenConstraint> compile_spec(ConstraintCompiler& compiler, const ConstraintSpec& spec) const;
  OrderedJson document_ = {{"$defs", OrderedJson::object()}};
  std::vector<std::string> names_;
};

}  // namespace minnow
