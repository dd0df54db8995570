// A library without anything that anybody wants.
extern "C" {
int octet_stub_of_nothing = 0;
}
