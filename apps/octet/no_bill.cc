// For the first of the two links of the program, which the list of its components is made from.

#include "bill/bill.h"

namespace octet::bill {

std::string_view built_in_bill() { return {}; }

}  // namespace octet::bill
